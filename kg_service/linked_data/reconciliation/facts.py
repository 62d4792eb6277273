"""What the graph knows of candidates: asked for all of them together, in as few questions as there are kinds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from kg_service.linked_data.asking import Asking
from kg_service.linked_data.reconciliation import Facts, Given
from kg_service.linked_data.reconciliation.vocabulary import PLACES, TOGETHER, WITHIN, is_property
from kg_service.rdf import ONTOLOGY, PREFIXES, RDF_TYPE, Literal, NamedNode, Term
from kg_service.search.texts import LABELS

_SKOS = PREFIXES["skos"]
#: The kinds of names, and the texts that describe a thing, the best first.
NAMES = (*sorted(LABELS), _SKOS + "altLabel", ONTOLOGY + "acronym")
TEXTS = (_SKOS + "definition", *(ONTOLOGY + name for name in ("description", "purpose", "text")))
#: Rows of one answer; who has more values is known by some of them.
_MOST = 50_000
#: Things that are asked about together.
_TOGETHER = 100


def about(things: Iterable[NamedNode]) -> str:
    """The query for names, classes and texts: ?thing ?property ?value."""
    properties = [RDF_TYPE.value, *NAMES, *TEXTS]
    return (
        f"SELECT ?thing ?property ?value {{ {_each(things)} ?thing ?property ?value . "
        f"{_one_of('?property', properties)} }} LIMIT {_MOST}"
    )


def values(things: Iterable[NamedNode], properties: Iterable[str]) -> str:
    """The query for values with their names: ?thing ?property ?value ?name."""
    return (
        f"SELECT ?thing ?property ?value ?name {{ {_each(things)} ?thing ?property ?value . "
        f"{_one_of('?property', properties)} {_NAMED} }} LIMIT {_MOST}"
    )


def places(things: Iterable[NamedNode]) -> str:
    """The query for the places where things are, those around them included: ?thing ?property ?value ?name."""
    return (
        f"SELECT DISTINCT ?thing ?property ?value ?name {{ {_each(things)} ?thing ?property ?near . "
        f"{_one_of('?property', PLACES)} ?near <{WITHIN}>* ?value . {_NAMED} }} LIMIT {_MOST}"
    )


def holding(property_: str, value: NamedNode, most: int) -> str:
    """The query for things that have a thing as a value: ?thing."""
    return f"SELECT ?thing {{ ?thing <{property_}> {value} }} LIMIT {most}"


async def facts_of(asking: Asking, things: Iterable[str], properties: Iterable[str]) -> dict[str, Facts]:
    """What is known of things, with the values of those properties; of what the graph does not know, nothing."""
    nodes = [NamedNode(iri) for iri in dict.fromkeys(things)]
    properties, found = tuple(properties), dict[str, Facts]()
    for start in range(0, len(nodes), _TOGETHER):  # one answer is read at a time, and others come in between
        found |= await _facts_of(asking, nodes[start : start + _TOGETHER], properties)
    return found


async def _facts_of(asking: Asking, nodes: list[NamedNode], properties: Iterable[str]) -> dict[str, Facts]:
    names: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    types: dict[str, set[str]] = defaultdict(set)
    texts: dict[str, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for row in await asking.rows(about(nodes)):
        thing, property_, value = row["thing"].value, row["property"].value, row["value"]
        if isinstance(value, NamedNode):
            types[thing].add(value.value)
        elif isinstance(value, Literal) and property_ in TEXTS:
            texts[thing][property_].setdefault(value.language or "", value.value)
        elif isinstance(value, Literal):
            names[thing].append((property_, value.language or "", value.value))
    found = await _values(asking, nodes, properties)
    return {
        node.value: Facts(
            tuple(sorted(names[node.value])),
            frozenset(types[node.value]),
            next((texts[node.value][each] for each in TEXTS if each in texts[node.value]), {}),
            found[node.value],
        )
        for node in nodes
        if types[node.value] or names[node.value]
    }


async def _values(
    asking: Asking, nodes: list[NamedNode], properties: Iterable[str]
) -> defaultdict[str, Mapping[str, tuple[Given, ...]]]:
    """The values of each thing by property; a place stands for those around it, and some properties for several."""
    wanted = set(properties)
    plain = {
        each for name in wanted for each in TOGETHER.get(name, (name,)) if each not in PLACES and is_property(each)
    }
    found: dict[str, dict[str, set[Given]]] = defaultdict(lambda: defaultdict(set))
    rows = await asking.rows(values(nodes, sorted(plain))) if plain else []
    if any(each in PLACES for name in wanted for each in TOGETHER.get(name, (name,))):
        rows += await asking.rows(places(nodes))
    for row in rows:
        for given in _given(row["value"], row.get("name")):
            found[row["thing"].value][row["property"].value].add(given)
    together: defaultdict[str, Mapping[str, tuple[Given, ...]]] = defaultdict(dict)
    for thing, by_property in found.items():
        together[thing] = {
            name: tuple(sorted({given for each in TOGETHER.get(name, (name,)) for given in by_property[each]}, key=str))
            for name in wanted
        }
    return together


def _given(value: Term, name: Term | None) -> Iterable[Given]:
    if isinstance(value, NamedNode):
        yield Given(name.value if isinstance(name, Literal) else "", value.value)
    elif isinstance(value, Literal):
        yield Given(value.value)


def _each(things: Iterable[NamedNode]) -> str:
    return f"VALUES ?thing {{ {' '.join(map(str, things))} }}"


def _one_of(variable: str, iris: Iterable[str]) -> str:
    """A filter, because engines join two tables of values by reading the whole graph."""
    return f"FILTER({variable} IN ({', '.join(str(NamedNode(iri)) for iri in iris)}))"


_NAMED = f"""OPTIONAL {{ ?value ?named ?name
  {_one_of("?named", [*NAMES, ONTOLOGY + "countryCode", _SKOS + "notation"])} }}"""
