"""The parts of a described data set that are had from elsewhere, as files: by URL, or from an endpoint page by page.

An endpoint is sent the part's mapping, a CONSTRUCT query, with ORDER BY over all its variables, LIMIT and OFFSET. What
changes meanwhile is not taken: how many solutions there are is asked before and after, and of several pages each is
read twice and must say the same both times.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from kg_service.datasets.described import Dataset, Part
from kg_service.errors import Malformed, ServiceFailed
from kg_service.rdf import N_TRIPLES, parse_bytes
from kg_service.sparql import guard
from kg_service.store.elsewhere import Elsewhere

#: Solutions of one page, and pages of one part.
PAGE, _PAGES = 10_000, 1_000


@dataclass(frozen=True, slots=True)
class _Construct:
    """A CONSTRUCT query taken apart: what stands before its pattern, the pattern, and its variables."""

    head: str
    prologue: str
    pattern: str
    variables: tuple[str, ...]

    def page(self, limit: int, offset: int) -> str:
        order = " ".join(self.variables)
        return f"{self.head} WHERE {self.pattern}\nORDER BY {order}\nLIMIT {limit} OFFSET {offset}"

    @property
    def count(self) -> str:
        return f"{self.prologue} SELECT (COUNT(*) AS ?how_many) WHERE {self.pattern}"


async def fetched(dataset: Dataset, folder: Path, elsewhere: Elsewhere, *, page: int = PAGE) -> Dataset:
    """The data set with its parts in a folder: those with a URL or an endpoint are fetched into it."""
    if not dataset.is_fetched:
        raise Malformed(f"{dataset.name}: no part has a url or an endpoint; name the folder of its files with --from")
    parts = [await _fetched(part, number, folder, elsewhere, page) for number, part in enumerate(dataset.parts, 1)]
    return replace(dataset, parts=tuple(parts))


async def _fetched(part: Part, number: int, folder: Path, elsewhere: Elsewhere, page: int) -> Part:
    if part.endpoint:
        if part.mapping is None:
            raise Malformed(f"part {number}: an endpoint is sent a mapping, which is a CONSTRUCT query; name one")
        file = folder / f"part-{number}.nt"
        file.write_bytes(await _paged(part, elsewhere, page))
        return replace(part, file=file.name, mapping=None)
    if part.url:
        file = folder / part.file.replace("*", "fetched").replace("?", "0")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(await elsewhere.file(part.url))
    return part


async def _paged(part: Part, elsewhere: Elsewhere, page: int) -> bytes:
    assert part.mapping
    query = taken_apart(part.mapping.name, part.mapping.read_text("utf-8"))
    many = await _counted(part, query, elsewhere)
    if many > page * _PAGES:
        raise Malformed(f"{part.endpoint} has {many} solutions; at most {page * _PAGES} are read")
    offsets = range(0, many, page)
    pages = [await _page(part, query, elsewhere, page, offset) for offset in offsets]
    for offset, text in zip(offsets, pages, strict=True):
        if not text.strip():
            raise ServiceFailed(f"{part.endpoint} says that it has {many} solutions, and nothing from {offset} on")
    if len(pages) > 1 and all(_lines(text) == _lines(pages[0]) for text in pages[1:]):
        raise ServiceFailed(f"{part.endpoint} answers the same whichever page is asked for; it cannot be read by pages")
    for offset, text in zip(offsets, pages, strict=True):
        if len(pages) > 1 and _lines(await _page(part, query, elsewhere, page, offset)) != _lines(text):
            raise _changed(part)
    if await _counted(part, query, elsewhere) != many:
        raise _changed(part)
    return b"\n".join(pages)


def _changed(part: Part) -> ServiceFailed:
    return ServiceFailed(f"{part.endpoint} was changed while it was read; nothing is taken of it, try again")


async def _page(part: Part, query: _Construct, elsewhere: Elsewhere, page: int, offset: int) -> bytes:
    """One page, whole: an answer that broke off does not parse, or ends before its line does."""
    text = await elsewhere.constructed(part.endpoint, query.page(page, offset))
    if text and not text.endswith(b"\n"):
        raise ServiceFailed(f"{part.endpoint} was asked and failed: its answer breaks off in a line")
    try:
        for _ in parse_bytes(text, N_TRIPLES, source=part.endpoint):
            pass
    except Malformed as error:
        raise ServiceFailed(
            f"{part.endpoint} was asked and failed: its answer is no N-Triples: {error.detail}"
        ) from None
    return text


def _lines(text: bytes) -> set[bytes]:
    return set(text.splitlines())


async def _counted(part: Part, query: _Construct, elsewhere: Elsewhere) -> int:
    rows = await elsewhere.rows(part.endpoint, query.count)
    try:
        return int(rows[0]["how_many"]["value"])
    except (IndexError, KeyError, TypeError, ValueError):
        raise ServiceFailed(
            f"{part.endpoint} was asked and failed: it does not say how many solutions there are"
        ) from None


def taken_apart(name: str, text: str) -> _Construct:
    """A CONSTRUCT query in its parts; Malformed for another query, or one that is cut or ordered already."""
    found = list(guard.tokens(text))
    place = next((at for at, token in enumerate(found) if token.keyword == "CONSTRUCT"), None)
    template = _end(found, place + 1) if place is not None else None
    if place is None or template is None:
        raise Malformed(f"{name}: a mapping of an endpoint is a query CONSTRUCT {{ … }} WHERE {{ … }}")
    opening = template + 1 + (template + 1 < len(found) and found[template + 1].keyword == "WHERE")
    pattern = _end(found, opening)
    if pattern is None or pattern != len(found) - 1:
        raise Malformed(
            f"{name}: after CONSTRUCT {{ … }} WHERE {{ … }} comes nothing: it is ordered and cut when it is sent"
        )
    variables = dict.fromkeys(re.sub(r"^\$", "?", t.text) for t in found[opening:pattern] if t.kind == "variable")
    if not variables:
        raise Malformed(f"{name}: the pattern has no variable")
    return _Construct(
        text[: found[template].end],
        text[: found[place].start],
        text[found[opening].start : found[pattern].end],
        tuple(variables),
    )


def _end(found: list[guard.Token], start: int) -> int | None:
    """The place of the brace that closes the one at `start`."""
    if start >= len(found) or found[start].text != "{":
        return None
    depth = 0
    for here in range(start, len(found)):
        depth += (found[here].text == "{") - (found[here].text == "}")
        if depth == 0:
            return here
    return None
