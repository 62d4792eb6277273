"""Copies of the graph: the whole as a file, and what changed since."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kg_service.client.transport import Body, Transport, parts
from kg_service.errors import Incomplete, NotFound
from kg_service.rdf import N_QUADS, Quad, parse_bytes

_PATCH = "application/rdf-patch"


@dataclass(frozen=True, slots=True)
class Transaction:
    """One change: first `removed` goes, then `added` comes."""

    added: tuple[Quad, ...]
    removed: tuple[Quad, ...]


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes that lead to a generation, in order; `state` names it, also to `Client.changes_since`."""

    generation: int
    state: str
    transactions: tuple[Transaction, ...]


def changes_since(transport: Transport, since: int | str, limit: int) -> Iterator[Changes]:
    """Page after page of what came after a generation, until the present."""
    url: str | None = "/patches"
    parameters: dict[str, str] | None = {"from": str(since), "limit": str(limit)}
    while url:
        with transport.stream("GET", url, params=parameters, headers={"Accept": _PATCH}) as response:
            found = _read(Body(response), int(response.headers["kg-generation"]))
            url, parameters = response.links.get("next", {}).get("url"), None
        if found.transactions or url is None:
            yield found


def _read(body: Body, generation: int) -> Changes:
    state, transactions = "", list[Transaction]()
    added: list[bytes] | None = None
    removed: list[bytes] = []
    for line in body.lines():
        code, _, rest = line.partition(b" ")
        if code == b"TX":
            added, removed = [], []
        elif code == b"TC" and added is not None:
            transactions.append(Transaction(_quads(added), _quads(removed)))
            added = None
        elif code == b"H" and rest.startswith(b"id "):
            state = rest[3:].rstrip(b" .").strip(b"<>").decode()
        elif code in (b"A", b"D") and added is not None:
            (added if code == b"A" else removed).append(rest)
    if added is not None or not state:
        raise Incomplete("the patch ends within a transaction")
    return Changes(generation, state, tuple(transactions))


def _quads(lines: list[bytes]) -> tuple[Quad, ...]:
    return tuple(parse_bytes(b"\n".join(lines), N_QUADS))


def download(transport: Transport, folder: Path, name: str) -> Path:
    """The latest file of that name in a folder, complete and checked; what an earlier attempt left is used."""
    listed = transport.json("GET", "/dumps/")
    told = next((each for each in listed["data"] if each["name"] == name), None)
    if told is None:
        raise NotFound(f'there is no dump "{name}"; known: {", ".join(each["name"] for each in listed["data"])}')
    target = folder / f"{listed['generation']}-{name}"
    if target.is_file() and _sum(target) == told["sha256"]:
        return target
    beside = target.with_name(target.name + ".part")
    have = beside.stat().st_size if beside.is_file() else 0
    headers = {"Accept-Encoding": "identity"}
    if 0 < have < told["bytes"]:
        headers |= {"Range": f"bytes={have}-", "If-Range": f'"{told["sha256"]}"'}
    with (
        transport.stream("GET", told["url"], headers=headers) as response,
        beside.open("ab" if response.status_code == 206 else "wb") as file,
    ):
        for part in parts(response):
            file.write(part)
    if _sum(beside) != told["sha256"]:
        beside.unlink()
        raise Incomplete(f"{told['url']} came with another checksum than {told['sha256']}; download it again")
    return beside.replace(target)


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
