"""RDF Patch (https://afs.github.io/rdf-patch/): a change as a text of rows, one to a line.

    H id <uuid:…> .            header; `prev` names the state that the patch is made for
    TX .                       a transaction begins; TC commits it, TA gives it up
    PA "rdf" "http://…" .      a prefix comes; PD: it goes
    D <s> <p> <o> <graph> .    a quad goes
    A <s> <p> <o> .            a triple of the default graph comes

The rows hold in order, and all transactions of a document are one change: the quads that are there at the end,
whatever was there before, and those that are not. Terms are written as in N-Quads; `<_:label>` is the blank node
`_:label`, which is one node in the whole document and never one that a store has. Prefixes are a matter of the service
and passed over.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

from pyoxigraph import BlankNode, DefaultGraph, Quad, RdfFormat, parse

from kg_service.errors import Malformed, Refused
from kg_service.store import Delta

#: Ours first.
MEDIA_TYPES = ("application/rdf-patch", "text/rdf-patch")

_LITERAL = r'"(?:[^"\\]|\\.)*+"(?:@[A-Za-z0-9-]++|\^\^<[^<>\s]*+>)?+'
_TERM = rf"(<[^<>\s]*+>|_:[^\s<>\".]++(?:\.++[^\s<>\".]++)*+|{_LITERAL})"
_END = r"\s*+\.\s*+(?:#.*+)?+"
_CHANGE = re.compile(rf"\s*+([AD])\s++{_TERM}\s*+{_TERM}\s*+{_TERM}(?:\s*+{_TERM})?+{_END}")
_HEADER = re.compile(rf"\s*+H\s++([A-Za-z][\w-]*+)\s*+{_TERM}{_END}")
_TRANSACTION = re.compile(rf"\s*+(TX|TC|TA){_END}")
_PREFIX = re.compile(rf'\s*+P[AD]\s++("[^"]*+"|[\w.-]*+:)(?:\s*+{_TERM}){{0,2}}{_END}')
_NOTHING = re.compile(r"\s*+(?:#.*+)?+")
#: Bytes of a document in which its header is.
_BEGINNING = 2**16
_LINE_ENDS = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class Patch:
    """A change, its id and the id of the patch that comes before it, where the header says them."""

    delta: Delta
    id: str | None = None
    previous: str | None = None


def parsed(data: bytes) -> Patch:
    """The change that a document means; Malformed with the line for what is no row, Refused for a change given up."""
    try:
        text = data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Malformed(f"line {line}: the patch is not UTF-8 (byte {data[error.start]:#04x})", line=line) from None
    header: dict[str, str] = {}
    changes: list[tuple[int, str]] = []  # the line and A or D
    statements: list[str] = []
    begun = 0
    for number, row in enumerate(_LINE_ENDS.split(text), 1):
        if change := _CHANGE.fullmatch(row):
            changes.append((number, change[1]))
            statements.append(" ".join(_plain(term) for term in change.groups()[1:] if term))
        elif transaction := _TRANSACTION.fullmatch(row):
            begun = _begun(begun, transaction[1], number)
        elif field := _HEADER.fullmatch(row):
            header[field[1]] = field[2].strip('<>"')
        elif not _NOTHING.fullmatch(row) and not _PREFIX.fullmatch(row):
            raise _no_row(row, number)
    if begun:
        raise Malformed(
            f"the transaction of line {begun} has no end; was the patch cut? It ends with: TC .", line=begun
        )
    return Patch(_net(changes, _quads(changes, statements)), header.get("id"), header.get("prev"))


def header(data: bytes) -> dict[str, str]:
    """The fields of the rows that a document begins with; the rest of it is not looked at."""
    fields: dict[str, str] = {}
    beginning = data[:_BEGINNING].removeprefix(codecs.BOM_UTF8).decode(errors="replace")
    for row in _LINE_ENDS.split(beginning):
        if field := _HEADER.fullmatch(row):
            fields[field[1]] = field[2].strip('<>"')
        elif not _NOTHING.fullmatch(row):
            break
    return fields


def written(patch: Patch) -> bytes:
    """The patch as one transaction, what goes first; equal patches give equal bytes."""
    fields = [("id", patch.id), ("prev", patch.previous)]
    rows = [f"H {name} <{value}> ." for name, value in fields if value]
    rows += ["TX .", *_rows("D", patch.delta.removed), *_rows("A", patch.delta.added), "TC ."]
    return "".join(f"{row}\n" for row in rows).encode()


def _rows(code: str, quads: frozenset[Quad]) -> list[str]:
    def row(quad: Quad) -> str:
        graph = "" if isinstance(quad.graph_name, DefaultGraph) else f" {quad.graph_name}"
        return f"{code} {quad.subject} {quad.predicate} {quad.object}{graph} ."

    return sorted(map(row, quads))


def _begun(begun: int, code: str, number: int) -> int:
    """The line at which the transaction began that is open after this row; 0 for none."""
    if code == "TA":
        raise Refused(f"line {number}: the patch gives its transaction up (TA); nothing is changed", line=number)
    if code == "TX" and begun:
        raise Malformed(f"line {number}: a transaction is open since line {begun}; end it with: TC .", line=number)
    if code == "TC" and not begun:
        raise Malformed(f"line {number}: no transaction is open; begin one with: TX .", line=number)
    return number if code == "TX" else 0


def _plain(term: str) -> str:
    return term[1:-1] if term.startswith("<_:") else term


def _quads(changes: list[tuple[int, str]], statements: list[str]) -> Iterator[Quad]:
    """The quads of the A and D rows. Each row is one statement for certain, so that they come in step with the rows."""
    document = "".join(f"{statement} .\n" for statement in statements).encode()
    try:
        yield from parse(document, RdfFormat.N_QUADS, rename_blank_nodes=True)
    except SyntaxError as error:
        number = changes[(error.lineno or 1) - 1][0]
        raise Malformed(f"line {number}: {error.msg}", line=number) from None


def _net(changes: list[tuple[int, str]], quads: Iterator[Quad]) -> Delta:
    added: set[Quad] = set()
    removed: set[Quad] = set()
    for (number, code), quad in zip(changes, quads, strict=True):
        if code == "A":
            added.add(quad)
            removed.discard(quad)
        elif quad in added or not _has_blank_node(quad):
            added.discard(quad)
            removed.add(quad)
        else:
            raise Refused(
                f"line {number}: a blank node is a new one in each patch, so that no triple with it can be there "
                "to go; name the node by its IRI",
                line=number,
            )
    return Delta(frozenset(added), frozenset(quad for quad in removed if not _has_blank_node(quad)))


def _has_blank_node(quad: Quad) -> bool:
    return any(isinstance(term, BlankNode) for term in (quad.subject, quad.object, quad.graph_name))


def _no_row(row: str, number: int) -> Malformed:
    code = row.split(maxsplit=1)[0]
    shown = row.strip() if len(row) < 80 else row.strip()[:80] + "…"
    if code in ("A", "D"):
        what = f"{code} takes three or four terms as in N-Quads, without prefixes, and ends with a dot"
    elif code in ("H", "TX", "TC", "TA", "PA", "PD"):
        what = {"H": "H takes a name and a term", "P": f'{code} takes a name as in "rdf" and an IRI'}.get(code[0], code)
        what += " and ends with a dot"
    else:
        what = "a row begins with H, TX, TC, TA, PA, PD, A or D"
    return Malformed(f"line {number}: {what}: {shown}", line=number)
