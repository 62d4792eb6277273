"""What the graph knows of its actors, as far as it is compared; asked in a few questions of all, or of some."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from kg_service.identity import Actor, Point
from kg_service.rdf import PREFIXES, RDF_TYPE, Literal, NamedNode, sse
from kg_service.search.names import site
from kg_service.search.texts import LABELS

#: Asks a SELECT query; the solutions as terms by variable.
Ask: TypeAlias = Callable[[str], Awaitable[Sequence[Mapping[str, Any]]]]

_SKOS, _SCHEMA, _ORG, _DCTERMS = (PREFIXES[name] for name in ("skos", "schema", "org", "dcterms"))
_GEO, _ADMS = "http://www.w3.org/2003/01/geo/wgs84_pos#", "http://www.w3.org/ns/adms#"
_NAMES = (*sorted(LABELS), _SKOS + "altLabel", _SKOS + "hiddenLabel", sse("acronym").value, sse("printedAs").value)
_WEBSITES = (_SCHEMA + "url", PREFIXES["foaf"] + "homepage")
_NUMBERS = (_SCHEMA + "identifier", _ORG + "identifier", _DCTERMS + "identifier", _ADMS + "identifier")
_LATITUDE = f"<{_GEO}lat>|<{_SCHEMA}latitude>"
_LONGITUDE = f"<{_GEO}long>|<{_SCHEMA}longitude>"
_PLACES = f"{sse('locatedIn')}|{sse('governs')}"
#: Actors of one answer, and values of each kind that are compared.
_TOGETHER, _VALUES = 5_000, 24
_ALL = f"?actor {RDF_TYPE} {sse('Actor')}"


async def every(ask: Ask) -> list[Actor]:
    """All actors, in order of their IRIs."""
    iris = sorted(row["actor"].value for row in await ask(f"SELECT DISTINCT ?actor {{ {_ALL} }}") if _is_iri(row))
    found: list[Actor] = []
    for start in range(0, len(iris), _TOGETHER):
        known = await some(ask, iris[start : start + _TOGETHER])
        found += [known[iri] for iri in sorted(known)]
    return found


def _is_iri(row: Mapping[str, Any]) -> bool:
    return isinstance(row["actor"], NamedNode)


async def some(ask: Ask, iris: Iterable[str]) -> dict[str, Actor]:
    """These actors by IRI; of what the graph does not know, nothing but the IRI."""
    these = list(dict.fromkeys(iris))
    if not these:
        return {}
    listed = f"VALUES ?actor {{ {' '.join(str(NamedNode(iri)) for iri in these)} }}"
    told: defaultdict[str, defaultdict[str, set[Any]]] = defaultdict(lambda: defaultdict(set))
    for name, pattern in _questions().items():
        for row in await ask(f"SELECT DISTINCT ?actor ?value ?more {{ {listed} {pattern} }}"):
            if (value := _value(name, row)) is not None:
                told[row["actor"].value][name].add(value)
    claimed = f"?claim <{PREFIXES['rdf']}subject> ?actor ; {sse('evidence')} ?words"
    counted = await ask(f"SELECT ?actor (COUNT(*) AS ?claims) {{ {listed} {claimed} }} GROUP BY ?actor")
    claims = {row["actor"].value: int(row["claims"].value) for row in counted}
    return {iri: _actor(iri, told[iri], claims.get(iri, 0)) for iri in these}


def _questions() -> dict[str, str]:
    """What is asked of actors: ?value, and for points ?more."""
    members, bodies = f"<{_ORG}member>", f"<{_ORG}organization>"
    return {
        "names": f"?actor {_any(_NAMES)} ?value",
        "countries": f"?actor {_PLACES} ?place . ?place {sse('within')}* ?at . ?at {sse('countryCode')} ?value",
        "websites": f"?actor {_any(_WEBSITES)} ?value",
        "numbers": f"?actor {_any(_NUMBERS)} ?value",
        "points": f"?actor {_LATITUDE} ?value ; {_LONGITUDE} ?more",
        "within": f"?actor {sse('partOf')} ?value",
        "bodies": f"?membership {members} ?actor ; {bodies} ?value",
    }


def _any(iris: Iterable[str]) -> str:
    return "|".join(str(NamedNode(iri)) for iri in iris)


def _value(name: str, row: Mapping[str, Any]) -> Any:
    value = row["value"]
    if name == "points":
        return _point(value, row["more"])
    text = str(value.value) if isinstance(value, NamedNode | Literal) else ""
    if name == "websites":
        return site(text.split()[0]) if text.strip() else None
    if name == "numbers":
        return re.sub(r"[\s./-]+", "", text).upper() or None
    return text.strip() or None


def _point(latitude: Any, longitude: Any) -> Point | None:
    try:
        point = Point(float(latitude.value), float(longitude.value))
    except (ValueError, AttributeError):
        return None
    is_on_earth = abs(point.latitude) <= 90 and abs(point.longitude) <= 180
    return point if is_on_earth and (point.latitude or point.longitude) else None


def _actor(iri: str, told: Mapping[str, set[Any]], claims: int) -> Actor:
    def few(name: str) -> list[Any]:
        return sorted(told.get(name, ()), key=str)[:_VALUES]

    return Actor(
        iri,
        tuple(few("names")),
        frozenset(few("countries")),
        frozenset(few("websites")),
        frozenset(few("numbers")),
        frozenset(few("points")),
        frozenset(told.get("within", set()) | told.get("bodies", set())),
        claims,
    )
