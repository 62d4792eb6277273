"""The log of changes, told: as plain data for JSON, as PROV, and as the difference between two generations."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

from pyoxigraph import Literal, NamedNode, Quad

from kg_service.errors import NotFound
from kg_service.rdf import PREFIXES, RDF_TYPE, entity
from kg_service.store import Delta
from kg_service.store.log import MOST_WHOLE, ChangeLog, Entry, Refusal
from kg_service.store.patches import Patch, excerpt

_PROV, _SH, _VOID, _XSD = PREFIXES["prov"], PREFIXES["sh"], "http://rdfs.org/ns/void#", PREFIXES["xsd"]
#: Statements of a change that are shown as JSON; the whole is to be had as RDF Patch.
SHOWN = 1_000


def iri(number: int) -> NamedNode:
    """The address of a change."""
    return entity("change", str(number))


def lineage(log: ChangeLog) -> str:
    """What tells this history from another whose generations have the same numbers: it comes of the first change,
    and of the backup that the store was restored from, if there may be later generations elsewhere."""
    first = next(iter(log.following(0, limit=1)), None)
    if first is None:
        return "none"
    told = f"{first.number} {first.time} {first.author} {first.added}" + (f" {log.history}" if log.history else "")
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def state(log: ChangeLog, generation: int) -> NamedNode:
    """The IRI of the dataset as it is at a generation of this history."""
    return entity("generation", f"{generation}-{lineage(log)}")


def generation_named(log: ChangeLog, name: str) -> int | None:
    """The generation of this history that a number or the IRI of a state names; None for what is neither."""
    if re.fullmatch(r"[0-9]{1,15}", name):
        return int(name)
    number, _, of = name.removeprefix(entity("generation", "").value).partition("-")
    if name.startswith(entity("generation", "").value) and re.fullmatch(r"[0-9]{1,15}", number) and of == lineage(log):
        return int(number)
    return None


def summary(entry: Entry) -> dict[str, Any]:
    """A change in a list."""
    return {
        "number": entry.number,
        "iri": iri(entry.number).value,
        "generation": entry.generation,
        "time": entry.time,
        "author": entry.author,
        "note": entry.note,
        "added": entry.added,
        "removed": entry.removed,
        "warnings": entry.outcome["counts"],
        "reverts": entry.reverts,
    }


def told(log: ChangeLog, entry: Entry) -> tuple[Patch, int]:
    """What a change did, or some of it where it is too much to be held; and how many statements are left out."""
    size = entry.added + entry.removed
    stored = log.packed(entry.number) or b""
    if size <= MOST_WHOLE:
        return Patch.unpacked(stored), 0
    some = excerpt(stored, SHOWN)
    return some, size - len(some.delta)


def whole(entry: Entry, patch: Patch, left_out: int) -> dict[str, Any]:
    """A change with what the shapes said of it and the statements that it added and removed, as `told` gives them."""
    shown = statements(patch.delta)
    return summary(entry) | {"outcome": entry.outcome} | shown | {"truncated": shown["truncated"] or left_out > 0}


def refusal(refused: Refusal) -> dict[str, Any]:
    """A change that was not made, with its report."""
    return {
        "number": refused.number,
        "time": refused.time,
        "author": refused.author,
        "note": refused.note,
        "added": refused.added,
        "removed": refused.removed,
        "report": refused.report,
    }


def statements(delta: Delta) -> dict[str, Any]:
    """The first statements of a change as lines of N-Quads, in order, and whether these are all."""
    added, removed = (sorted(f"{quad} ." for quad in part) for part in (delta.added, delta.removed))
    return {
        "statements": {"added": added[:SHOWN], "removed": removed[:SHOWN]},
        "truncated": max(len(added), len(removed)) > SHOWN,
    }


def as_prov(entry: Entry) -> list[Quad]:
    """A change as a prov:Activity: who, when and why, the generation, the sizes, and the validation report.

    What it added it generated, what it removed it invalidated (PROV-O, section 3.2).
    """
    change = iri(entry.number)

    def part(name: str) -> NamedNode:
        return NamedNode(f"{change.value}#{name}")

    def said() -> Iterator[tuple[NamedNode, str, NamedNode | Literal]]:
        yield change, RDF_TYPE.value, NamedNode(_PROV + "Activity")
        yield change, _PROV + "endedAtTime", Literal(entry.time, datatype=NamedNode(_XSD + "dateTime"))
        yield change, _PROV + "wasAssociatedWith", part("author")
        yield part("author"), RDF_TYPE.value, NamedNode(_PROV + "Agent")
        yield part("author"), PREFIXES["foaf"] + "name", Literal(entry.author)
        if entry.note:
            yield change, PREFIXES["rdfs"] + "comment", Literal(entry.note)
        if entry.reverts is not None:
            yield change, _PROV + "wasInformedBy", iri(entry.reverts)
        yield change, _PROV + "generated", part("generation")
        yield part("generation"), RDF_TYPE.value, NamedNode(_PROV + "Entity")
        yield part("generation"), PREFIXES["owl"] + "versionInfo", Literal(str(entry.generation))
        for name, verb, size in (("added", "generated", entry.added), ("removed", "invalidated", entry.removed)):
            yield change, _PROV + verb, part(name)
            yield part(name), RDF_TYPE.value, NamedNode(_VOID + "Dataset")
            yield part(name), _VOID + "triples", Literal(size)
        yield change, _PROV + "generated", part("report")
        yield part("report"), RDF_TYPE.value, NamedNode(_SH + "ValidationReport")
        yield part("report"), _SH + "conforms", Literal(bool(entry.outcome["conforms"]))
        for number, result in enumerate(entry.outcome["results"], 1):
            here = part(f"result-{number}")
            yield part("report"), _SH + "result", here
            yield here, RDF_TYPE.value, NamedNode(_SH + "ValidationResult")
            yield here, _SH + "resultMessage", Literal(result["message"])
            yield here, _SH + "sourceConstraintComponent", NamedNode(result["component"])
            if result["severity"] in ("Warning", "Info"):
                yield here, _SH + "resultSeverity", NamedNode(_SH + result["severity"])
            if result["focus"]["type"] == "uri":
                yield here, _SH + "focusNode", NamedNode(result["focus"]["value"])

    return [Quad(subject, NamedNode(predicate), value) for subject, predicate, value in said()]


def difference(log: ChangeLog, first: int, last: int) -> Delta:
    """What changed from one generation to another, as one change; with the later one first, how to go back.

    NotFound for a generation that the log does not reach.
    """
    oldest, newest = log.first_generation(), log.generation
    for generation in (first, last):
        if not oldest <= generation <= newest:
            raise NotFound(f"there is no generation {generation} in the log; known: {oldest} to {newest}")
    change = Delta()
    for patch in log.between(min(first, last), max(first, last)):
        change = change.then(patch.delta)
    return change if first <= last else change.inverse


def known_entry(log: ChangeLog, number: int) -> Entry:
    """The change of that number; NotFound says which there are."""
    entry = log.entry(number)
    if entry is None:
        last = log.last_number()
        raise NotFound(f"there is no change {number}; known: {f'1 to {last}' if last else 'none yet'}")
    return entry
