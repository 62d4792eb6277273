"""`/sources`: the documents behind the graph, and their texts with every quoted span marked."""

from __future__ import annotations

import asyncio
import hashlib
import re
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from kg_service.api import pages
from kg_service.api.changes import from_log
from kg_service.api.clients import client_of
from kg_service.api.discovery import Counting
from kg_service.api.discovery import times as log_times
from kg_service.api.explored import Reader, explored
from kg_service.api.parameters import Parameter, read
from kg_service.beside import at_once
from kg_service.errors import NotFound, wrong_parameter
from kg_service.evidence import read_source
from kg_service.linked_data import of_one_generation
from kg_service.linked_data.figures import DATASETS, GRAPHS, GraphSizes
from kg_service.linked_data.judging import Outcome
from kg_service.rdf import PREFIXES, Literal, NamedNode, Term, entity, sse
from kg_service.settings import Settings
from kg_service.web import held, sources
from kg_service.web.sources import Text

_DCTERMS = PREFIXES["dcterms"]
_CHAR = Parameter(name="char", description="The span that is meant: its first character and the one after its last.")
_PART = Parameter(name="part", description="The part of the text.", kind="integer", least=1)
#: Claims that are listed of a span; the quotation's own page has all.
_CLAIMS = 100
#: Bytes of the longest text that is read.
_LONGEST = 32 * 1024 * 1024


async def listed(request: Request) -> Response:
    """The documents with texts and those only cited, and the graphs that hold what they say."""
    read(request, pages.LANGUAGES)
    state = request.app.state
    judged: Outcome | None = await state.judging.latest(state.readers.generation)
    counting: Counting[GraphSizes] = state.sizes
    counted, graphs = await counting.soon(state.readers) or await counting.current(state.readers)

    async def make(reader: Reader) -> dict[str, Any]:
        rows, said = await at_once(reader.answer("provenance/sources"), reader.asking.rows(DATASETS))
        named = [row[name] for row in rows for name in ("document", "license") if isinstance(row.get(name), NamedNode)]
        reader.show("The named graphs with how many statements each holds", GRAPHS)
        reader.show("What the data sets of others say of themselves", DATASETS)
        named += [row["value"] for row in said if row["property"].value == f"{_DCTERMS}license"]
        sizes = {graph.value: size for graph, size in graphs}
        names, times = await at_once(
            reader.names([*named, *sizes]),
            from_log(request, lambda log: log_times(log, list(sizes))),
        )
        return {
            "documents": sources.listed(rows, names),
            "graphs": held.graphs(sizes, times, judged.graphs if judged else None, said, names),
            "judged": judged,
            "counted": counted,
            "published": reader.asking.generation,
        }

    also = (judged and (judged.generation, judged.shapes), counted)
    return await explored(request, "sources.html", make, also=also)


async def shown(request: Request) -> Response:
    """The text of one document; 404 where the graph knows no such document."""
    given = read(request, [_CHAR, _PART, *pages.LANGUAGES])
    try:
        document = entity("document", request.path_params["slug"])
    except ValueError:
        raise NotFound("this cannot be the name of a document") from None
    chosen = _span(given["char"])
    if chosen and given["part"]:
        raise wrong_parameter("part", given["part"], "send part or char, not both")
    settings: Settings = request.app.state.settings

    async def make(reader: Reader) -> dict[str, Any]:
        said = await _said(reader, document)
        if sse("Document") not in said.get(PREFIXES["rdf"] + "type", ()):
            raise NotFound(f"the graph knows no document {document.value}", iri=document.value)
        length = _number(said.get(sse("characters").value))
        text = await asyncio.to_thread(_text, settings.data / "sources", said, length)
        if text is None:
            text = await _quoted(reader, document, length)
        if chosen and chosen[1] > text.length:
            raise wrong_parameter("char", given["char"], f"the text has {text.length} characters")
        parts = sources.parts(text)
        part = sources.part_of(parts, chosen[0]) if chosen else given["part"] or 1
        if part > len(parts):
            raise wrong_parameter("part", part, f"the text has {len(parts)} parts")
        start, end = parts[part - 1]
        rows = await reader.answer(
            "provenance/quotations-of", document=document, **{"from": Literal(start), "to": Literal(end)}
        )
        known = sources.spans(
            (_number([row["start"]]), _number([row["end"]]), row["quotation"].value, _number([row["claims"]]))
            for row in rows
        )
        claims = await _claims(reader, next((each for each in known if (each.start, each.end) == chosen), None))
        things = [term for row in claims for term in row.values() if isinstance(term, NamedNode)]
        about = [value for values in said.values() for value in values if isinstance(value, NamedNode)]
        names = await reader.names([document, *things, *about])
        return {
            "source": sources.SourcePage(
                document, said, text, parts, part, known, chosen, claims[:_CLAIMS], names, is_cut=len(claims) > _CLAIMS
            )
        }

    return await explored(request, "source.html", make)


def _span(text: str | None) -> tuple[int, int] | None:
    """The two places of `841,865`; WrongParameter for anything else."""
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]{1,9}),([0-9]{1,9})", text)
    if match is None or int(match[1]) >= int(match[2]):
        raise wrong_parameter("char", text[:80], "two places in the text, such as 841,865, the first before the second")
    return int(match[1]), int(match[2])


async def _said(reader: Reader, document: NamedNode) -> dict[str, list[Term]]:
    """What is said of the document, by property."""
    said: dict[str, list[Term]] = {}
    for row in await reader.asking.rows(f"SELECT ?p ?v {{ {document} ?p ?v }} ORDER BY ?p ?v"):
        said.setdefault(row["p"].value, []).append(row["v"])
    return said


def _number(values: list[Term] | None) -> int:
    """The first whole number among some values; 0 where there is none."""
    texts = [each.value for each in values or () if isinstance(each, Literal)]
    return next((int(text) for text in texts if re.fullmatch(r"[0-9]{1,9}", text)), 0)


def _text(folder: Path, said: dict[str, list[Term]], length: int) -> Text | None:
    """The text in its file, if it is the one that the graph means: named plainly, as long, with the same checksum."""
    for name in (each.value for each in said.get(sse("sourceFile").value, ()) if isinstance(each, Literal)):
        path = folder / name
        if path.name != name or name.startswith("."):
            continue
        try:
            if not path.is_file() or path.is_symlink() or path.stat().st_size > _LONGEST:
                continue
            words = read_source(path)
        except (OSError, ValueError):
            continue
        sums = {each.value for each in said.get(sse("sha256").value, ()) if isinstance(each, Literal)}
        if hashlib.sha256(words.encode()).hexdigest() in sums if sums else len(words) == length:
            return Text(((0, words),), len(words))
    return None


async def _quoted(reader: Reader, document: NamedNode, length: int) -> Text:
    """As much of the text as the quotations tell."""
    rows = await reader.asking.rows(
        "PREFIX oa: <http://www.w3.org/ns/oa#> SELECT ?start ?exact ?prefix ?suffix { "
        f"?quotation {sse('quotedFrom')} {document} ; oa:start ?start ; oa:exact ?exact . "
        "OPTIONAL { ?quotation oa:prefix ?prefix } OPTIONAL { ?quotation oa:suffix ?suffix } }"
    )
    pieces = []
    for row in rows:
        before, words, after = (row[name].value if name in row else "" for name in ("prefix", "exact", "suffix"))
        pieces.append((_number([row["start"]]) - len(before), before + words + after))
    return sources.of_quotations(pieces, length or max((at + len(words) for at, words in pieces), default=0))


async def _claims(reader: Reader, span: sources.Span | None) -> list[dict[str, Any]]:
    """The claims that rest on the quotations of a span."""
    quotations = span.quotations if span else ()
    found = await at_once(*(reader.answer("provenance/claims-on", quotation=NamedNode(each)) for each in quotations))
    return [row for rows in found for row in rows]


async def text_of(request: Request, document: NamedNode) -> str | None:
    """The whole text of a document, where its file is here and is the one that the graph means."""
    settings: Settings = request.app.state.settings
    _, rows = await of_one_generation(
        request.app.state.readers,
        lambda asking: asking.rows(f"SELECT ?p ?v {{ {document} ?p ?v }} ORDER BY ?p ?v"),
        seconds=settings.query_seconds,
        client=client_of(request),
    )
    said: dict[str, list[Term]] = {}
    for row in rows:
        said.setdefault(row["p"].value, []).append(row["v"])
    length = _number(said.get(sse("characters").value))
    found = await asyncio.to_thread(_text, settings.data / "sources", said, length)
    return found.runs[0][1] if found else None
