"""What is said of a thing: its statements in both directions with their graphs, the names of what they lead to, and
the evidence that they rest on. What is long is cut, and says so: nothing here grows with the graph.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from kg_service.errors import wrong_parameter
from kg_service.linked_data import questions
from kg_service.linked_data.asking import Asking, Row
from kg_service.linked_data.questions import EVIDENCE, OBJECT, PREDICATE, SUBJECT, Direction
from kg_service.rdf import PREF_LABEL, PREFIXES, RDF_TYPE, DefaultGraph, Literal, NamedNode, Quad, Term

#: Values of one property on one page.
PAGE = 100
#: Up to so many values of one property are put in order; more come in the engine's order.
_SORTED = 500
#: Up to so many claims about a thing are read together; of more, those about the values that are shown.
_CLAIMS = 500
_QUOTED_FROM = NamedNode(PREFIXES["sse"] + "quotedFrom")
_RDFS_LABEL = NamedNode(PREFIXES["rdfs"] + "label")


@dataclass(frozen=True, slots=True)
class Value:
    """One statement of a property: what stands at its other end, and the graphs that hold it."""

    term: Term
    graphs: tuple[NamedNode, ...] = ()


@dataclass(frozen=True, slots=True)
class Property:
    """The statements with one property in one direction: how many there are, and one page of them."""

    iri: NamedNode
    direction: Direction
    total: int
    values: tuple[Value, ...]
    page: int = 1

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // PAGE))


@dataclass(frozen=True, slots=True)
class Description:
    """What is said of a thing. `evidence` are claims about the statements shown, and the quotations behind them."""

    iri: NamedNode
    properties: tuple[Property, ...] = ()
    evidence: frozenset[Quad] = frozenset()
    #: The names of the thing and of everything that is shown, by IRI.
    labels: dict[str, tuple[tuple[NamedNode, Literal], ...]] = field(default_factory=dict)

    @property
    def is_subject(self) -> bool:
        """Whether anything is said of the thing itself, and not only of others in relation to it."""
        return any(each.direction is Direction.OUT for each in self.properties)

    def quads(self) -> set[Quad]:
        """The statements shown, each in its graphs; one that no named graph holds in the default graph."""
        made: set[Quad] = set()
        for each in self.properties:
            for value in each.values:
                for where in value.graphs or (DefaultGraph(),):
                    if each.direction is Direction.OUT:
                        made.add(Quad(self.iri, each.iri, value.term, where))
                    elif not isinstance(value.term, Literal):
                        made.add(Quad(value.term, each.iri, self.iri, where))
        return made

    def names(self) -> set[Quad]:
        """The names of everything that is shown."""
        return {
            Quad(NamedNode(iri), property, label) for iri, found in self.labels.items() for property, label in found
        }

    def values(self, property: NamedNode, direction: Direction = Direction.OUT) -> tuple[Value, ...]:
        """The values shown of a property."""
        return next((p.values for p in self.properties if (p.iri, p.direction) == (property, direction)), ())

    @property
    def types(self) -> tuple[NamedNode, ...]:
        return tuple(value.term for value in self.values(RDF_TYPE) if isinstance(value.term, NamedNode))


async def exists(asking: Asking, candidates: Sequence[NamedNode]) -> NamedNode | None:
    """The first of the IRIs that is a subject, an object or a graph; None when none is."""
    found = {row["thing"] for row in await asking.rows(questions.exists(candidates))}
    return next((each for each in candidates if each in found), None)


async def describe(asking: Asking, thing: NamedNode, *, with_graphs: bool = False) -> Description | None:
    """What is said of a thing, the first page of each property; None when nothing is.

    With graphs, those of the claims and quotations are told too.
    """
    totals = {
        (row["property"], Direction(row["direction"].value)): int(row["total"].value)
        for row in await asking.rows(questions.totals(thing))
        if "property" in row
    }
    if not totals:
        return None
    found: list[Property] = []
    for direction in Direction:
        short = {p: n for (p, where), n in totals.items() if where is direction and n <= _SORTED}
        if short:
            rows = _by_property(await asking.rows(questions.whole(thing, sorted(short, key=str), direction)))
            found += [Property(p, direction, n, _sorted(rows[p])[:PAGE]) for p, n in short.items()]
    for (property, direction), total in totals.items():
        if total > _SORTED:
            found.append(Property(property, direction, total, await _long(asking, thing, property, direction, 1)))
    claims = totals.get((SUBJECT, Direction.IN), 0)
    return await _described(asking, thing, found, claims, with_graphs=with_graphs)


async def describe_property(
    asking: Asking,
    thing: NamedNode,
    property: NamedNode,
    direction: Direction,
    page: int,
    *,
    with_graphs: bool = False,
) -> Description | None:
    """One page of one property of a thing; None when it has no such statement, WrongParameter after the last page."""
    (row,) = await asking.rows(questions.total(thing, property, direction))
    total = int(row["total"].value)
    if total == 0:
        return None
    if page > (last := -(-total // PAGE)):
        raise wrong_parameter("page", page, f"a whole number from 1 to {last}")
    if total <= _SORTED:
        rows = await asking.rows(questions.whole(thing, [property], direction))
        values = _sorted(rows)[PAGE * (page - 1) : PAGE * page]
    else:
        values = await _long(asking, thing, property, direction, page)
    found = [Property(property, direction, total, values, page)]
    return await _described(asking, thing, found, None, with_graphs=with_graphs)


async def _described(
    asking: Asking, thing: NamedNode, properties: list[Property], claims: int | None, *, with_graphs: bool
) -> Description:
    """The whole description; `claims` is how many there are about the thing, None when that was not asked."""
    properties.sort(key=_order)
    evidence = await _evidence(asking, thing, properties, claims, with_graphs=with_graphs)
    shown = {thing, *(value.term for each in properties for value in each.values)}
    shown |= {quad.object for quad in evidence}
    labels = await labels_of(asking, [term for term in shown if isinstance(term, NamedNode)])
    return Description(thing, tuple(properties), evidence, labels)


async def labels_of(asking: Asking, things: Iterable[NamedNode]) -> dict[str, tuple[tuple[NamedNode, Literal], ...]]:
    """The names of things, with the property that gives them: skos:prefLabel, else rdfs:label."""
    found: dict[str, list[tuple[NamedNode, Literal]]] = defaultdict(list)
    nameless = sorted(set(things), key=str)
    for property in (PREF_LABEL, _RDFS_LABEL):
        if nameless:
            for row in await asking.rows(questions.labels(nameless, property)):
                if isinstance(row["label"], Literal):
                    found[row["thing"].value].append((property, row["label"]))
            nameless = [each for each in nameless if each.value not in found]
    return {iri: tuple(sorted(names, key=str)) for iri, names in found.items()}


async def _evidence(
    asking: Asking, thing: NamedNode, properties: Iterable[Property], claims: int | None, *, with_graphs: bool
) -> frozenset[Quad]:
    """Claims about the statements shown that begin at the thing, and the quotations behind them.

    Of a claim, the quotations that it rests on itself.
    """
    shown = {(each.iri, value.term) for each in properties if each.direction is Direction.OUT for value in each.values}
    own = _bindable(value for property, value in shown if property == EVIDENCE)
    told = _quads(await asking.rows(questions.said(own, with_graphs=with_graphs))) if own else set()
    if claims != 0 and shown:
        told |= await _claims(asking, thing, shown, claims, with_graphs=with_graphs)
    if documents := _bindable(quad.object for quad in told if quad.predicate == _QUOTED_FROM):
        told |= _quads(await asking.rows(questions.of_documents(documents)))
    return frozenset(told)


async def _claims(
    asking: Asking, thing: NamedNode, shown: set[tuple[NamedNode, Term]], claims: int | None, *, with_graphs: bool
) -> set[Quad]:
    """The claims about some statements of the thing, with their quotations."""
    values = None if claims is not None and claims <= _CLAIMS else _bindable(value for _, value in shown)
    told = _quads(await asking.rows(questions.claims(thing, values, with_graphs=with_graphs)))
    predicates = {quad.subject: quad.object for quad in told if quad.predicate == PREDICATE}
    objects = {quad.subject: quad.object for quad in told if quad.predicate == OBJECT}
    about = {claim for claim in predicates if (predicates[claim], objects.get(claim)) in shown}
    told = {quad for quad in told if quad.subject in about}
    used = {quad.object for quad in told if quad.predicate == EVIDENCE}
    if used:
        quotations = _quads(await asking.rows(questions.quotations(thing, values, with_graphs=with_graphs)))
        told |= {quad for quad in quotations if quad.subject in used}
    return told


def _bindable(values: Iterable[Term]) -> list[Term]:
    """The terms that can be named in a query."""
    return sorted({value for value in values if isinstance(value, NamedNode | Literal)}, key=str)


async def _long(
    asking: Asking, thing: NamedNode, property: NamedNode, direction: Direction, page: int
) -> tuple[Value, ...]:
    rows = await asking.rows(questions.part(thing, property, direction, size=PAGE, page=page))
    return _sorted(rows)


def _by_property(rows: Iterable[Row]) -> dict[NamedNode, list[Row]]:
    found: dict[NamedNode, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["property"]].append(row)
    return found


def _sorted(rows: Iterable[Row]) -> tuple[Value, ...]:
    """The values of rows in order, each once, with all its graphs."""
    graphs: dict[Term, set[NamedNode]] = defaultdict(set)
    for row in rows:
        graphs[row["value"]].update([row["graph"]] if "graph" in row else [])
    return tuple(Value(term, tuple(sorted(graphs[term], key=str))) for term in sorted(graphs, key=_natural))


def _natural(term: Term) -> tuple[object, ...]:
    """Literals by language and words, then IRIs; numbers at the end of a name by their value."""
    if isinstance(term, Literal):
        return (0, term.language or "", *_numbered(term.value), str(term))
    text = str(term)
    return (1, "", *_numbered(text), text)


def _numbered(text: str) -> tuple[str, int]:
    """A text without the digits at its end, and the number that they are."""
    bare = text.rstrip(">").rstrip("0123456789")
    digits = text.rstrip(">")[len(bare) :]
    return bare, int(digits) if digits.isascii() and digits and len(digits) < 19 else -1


def _quads(rows: Iterable[Row]) -> set[Quad]:
    return {Quad(row["node"], row["property"], row["value"], row.get("graph", DefaultGraph())) for row in rows}


#: Properties that come first, in this order; the others follow by IRI.
_FIRST = [
    RDF_TYPE.value,
    *(PREFIXES["skos"] + name for name in ("prefLabel", "altLabel", "notation", "definition")),
    *(PREFIXES["sse"] + name for name in ("acronym", "description", "purpose", "text", "heading")),
    *(PREFIXES["rdf"] + name for name in ("subject", "predicate", "object")),
    *(PREFIXES["schema"] + name for name in ("startDate", "endDate")),
    *(PREFIXES["oa"] + name for name in ("prefix", "exact", "suffix", "start", "end")),
]


#: Properties of claims, whose things come last among those that refer to another.
_OF_CLAIMS = [PREFIXES["rdf"] + name for name in ("subject", "predicate", "object")]


def _order(of: Property) -> tuple[bool, int, str]:
    """Outgoing before incoming, claims last; the well-known first, the others by IRI."""
    iri = of.iri.value
    if of.direction is Direction.IN:
        return True, int(iri in _OF_CLAIMS), iri
    return False, _FIRST.index(iri) if iri in _FIRST else len(_FIRST), iri
