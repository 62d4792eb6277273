"""What a collection is: read from the first lines of its query in `queries/lists/`.

    # entity: https://w3id.org/sse-kg/id/event/           what the IRIs of things made here begin with
    # members: sse:Event                                  the classes whose instances it lists
    # order: start, label                                 how it is sorted; a hyphen before a name turns the order round
    # field: NAME PATH KIND [WORD …] | DESCRIPTION

A field is found by a SPARQL property path from the thing. KIND is text (in a language), string, integer, boolean, date,
code (numbers and letters parted by dots, in natural order), iri:TYPES, or name:TYPES (things, shown by their names).
TYPES says what the IRIs begin with, so that a slug can stand for an IRI: `theme`, or `organisation,government`; an
exclamation mark closes the list to what `ontology/lists.ttl` holds. WORDs are many (a thing may have several), filter
(or filter=PARAMETER), facet, sort, include (or include=NAME: the things in full), only (values
whose IRIs begin otherwise are left out) and hidden (no part of the answer).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from kg_service.errors import Malformed
from kg_service.queries import Question
from kg_service.rdf import ENTITY, PREF_LABEL, PREFIXES, NamedNode, parse_file

Kind = Literal["text", "string", "integer", "boolean", "date", "code", "iri", "name"]
_KINDS = ("text", "string", "integer", "boolean", "date", "code", "iri", "name")
_LINE = re.compile(r"^#\s*(?P<key>members|order|field):\s*(?P<value>.*\S)\s*$", re.MULTILINE)
_PREFIX = re.compile(r"^PREFIX\s+(?P<prefix>[\w-]+):\s*<(?P<iri>[^>]*)>", re.MULTILINE)
_NAME = re.compile(r"(?P<prefix>[A-Za-z][\w-]*):(?P<local>[\w-]+)")
_SINGLE = re.compile(r"<[^>]*>(\|<[^>]*>)*")
#: What is searched for words: names in all languages, other names, acronyms.
_ALL_NAMES = "skos:prefLabel|skos:altLabel|sse:acronym"


@dataclass(frozen=True)
class Field:
    """One thing that can be known of a member; `path` is a property path with its IRIs written out."""

    name: str
    path: str
    kind: Kind
    about: str
    begins: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    is_many: bool = False
    filter: str | None = None
    is_facet: bool = False
    is_sortable: bool = False
    include: str | None = None
    is_hidden: bool = False
    is_only: bool = False

    @property
    def is_of_things(self) -> bool:
        return self.kind in ("iri", "name")

    @cached_property
    def predicates(self) -> frozenset[str]:
        """The IRIs of all predicates on the path."""
        return frozenset(re.findall(r"<([^>]*)>", self.path))

    @cached_property
    def is_direct(self) -> bool:
        """Whether a thing's own statements tell its values: the path has one step, from the thing."""
        return _SINGLE.fullmatch(self.path) is not None

    def iris(self, text: str) -> list[str]:
        """The IRIs that a text can mean: itself, a slug of one of the types, or type and slug."""
        if ":" in text:
            return [text]
        if "/" in text and not self.begins[0].startswith(PREFIXES["sdg"]):
            return [ENTITY + text]
        return [begin + text for begin in self.begins]

    def short(self, iri: str) -> str:
        """What can be sent for an IRI: its slug, where one type is known."""
        return iri.removeprefix(self.begins[0]) if len(self.begins) == 1 else iri


LABEL = Field("label", str(PREF_LABEL), "text", "Its name, in the asked language if there is one.", is_sortable=True)


@dataclass(frozen=True)
class Collection:
    """A list under `/api`: the classes of its members, how they are sorted, and what can be known of them."""

    name: str
    summary: str
    prefix: str
    classes: tuple[str, ...]
    order: str
    fields: tuple[Field, ...]
    words: Field

    @property
    def shown(self) -> list[Field]:
        return [field for field in self.fields if not field.is_hidden]

    @property
    def includable(self) -> dict[str, Field]:
        return {field.include: field for field in self.fields if field.include}

    def field(self, name: str) -> Field:
        return next(field for field in self.fields if field.name == name)


def collections(questions: Iterable[Question], ontology: Path) -> list[Collection]:
    """The collections that the queries in `queries/lists/` declare."""
    known = _closed(ontology)
    return [_collection(question, known) for question in questions if question.name.startswith("lists/")]


def _closed(ontology: Path) -> dict[str, list[str]]:
    """By what their IRIs begin with, the slugs in the ontology's closed lists."""
    found: dict[str, list[str]] = {}
    for quad in parse_file(ontology / "lists.ttl"):
        if quad.predicate == PREF_LABEL and isinstance(quad.subject, NamedNode):
            begin, slash, slug = quad.subject.value.rpartition("/")
            slugs = found.setdefault(begin + slash, [])
            if slug not in slugs:
                slugs.append(slug)
    return found


def _collection(question: Question, known: dict[str, list[str]]) -> Collection:
    prefixes = PREFIXES | {match["prefix"]: match["iri"] for match in _PREFIX.finditer(question.text)}
    lines: dict[str, list[str]] = {"members": [], "order": [], "field": []}
    for match in _LINE.finditer(question.text):
        lines[match["key"]].append(match["value"])
    if not (lines["members"] and question.entity):
        raise Malformed(f"{question.name}.rq: its first lines lack “# members: …” or “# entity: …”")
    classes = tuple(_written_out(name, prefixes)[1:-1] for name in lines["members"][0].split())
    fields = [LABEL, *(_field(line, question.name, prefixes, known) for line in lines["field"])]
    words = Field("q", _written_out(_ALL_NAMES, prefixes), "text", "Names", is_many=True, is_hidden=True)
    order = ",".join(part.strip() for part in (lines["order"] or ["label"])[0].split(","))
    name = question.name.rpartition("/")[2]
    return Collection(name, question.summary, question.entity, classes, order, tuple(fields), words)


def _field(line: str, where: str, prefixes: dict[str, str], known: dict[str, list[str]]) -> Field:
    declared, _, about = line.partition(" | ")
    try:
        name, path, kind, *words = declared.split()
    except ValueError:
        raise Malformed(f"{where}.rq: a field has a name, a path and a kind, not “{line}”") from None
    kind, _, types = kind.partition(":")
    is_closed, types = types.endswith("!"), types.removesuffix("!")
    begins = tuple(prefixes.get(each) or f"{ENTITY}{each}/" for each in types.split(",") if each)
    said = {word.partition("=")[0]: word.partition("=")[2] for word in words}
    unknown = set(said) - {"many", "filter", "facet", "sort", "include", "hidden", "only"}
    if kind not in _KINDS or unknown or not about or (kind in ("iri", "name")) != bool(begins):
        raise Malformed(f"{where}.rq: the field “{line}” has a kind or a word that is not known, or no description")
    return Field(
        name,
        _written_out(path, prefixes),
        kind,  # type: ignore[arg-type]
        about,
        begins,
        tuple(slug for begin in begins for slug in known.get(begin, ())) if is_closed else (),
        "many" in said,
        (said["filter"] or name) if "filter" in said else None,
        "facet" in said,
        "sort" in said,
        (said["include"] or name) if "include" in said else None,
        "hidden" in said,
        "only" in said,
    )


def _written_out(path: str, prefixes: dict[str, str]) -> str:
    """A path with its prefixed names as IRIs."""
    return _NAME.sub(lambda match: str(NamedNode(prefixes[match["prefix"]] + match["local"])), path)
