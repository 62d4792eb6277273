"""Where a thing is: its places with their countries and coordinates, as a small map, and in words beside it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kg_service.rdf import ENTITY, Literal, NamedNode, sse
from kg_service.web import outline
from kg_service.web.names import Names, Shown
from kg_service.web.outline import Outline, Point

_AT = "|".join(str(sse(name)) for name in ("locatedIn", "activeIn", "governs", "takesPlaceIn", "linksRegion"))
_LATITUDE = "<http://www.w3.org/2003/01/geo/wgs84_pos#lat>|<https://schema.org/latitude>"
_LONGITUDE = "<http://www.w3.org/2003/01/geo/wgs84_pos#long>|<https://schema.org/longitude>"
#: Places of a thing that are looked at, and those that are told.
_LOOKED_AT, MOST = 200, 12
#: What is nowhere: what documents say, and where they say it.
_NOWHERE = tuple(f"{ENTITY}{kind}/" for kind in ("claim", "quotation"))


@dataclass(frozen=True, slots=True)
class Place:
    """A place of the thing, or the thing itself, with its country and its coordinates (latitude, longitude)."""

    name: Shown
    country: Shown | None
    at: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """The places, and the country that most of them are in, drawn; `more` are not told."""

    places: tuple[Place, ...]
    more: int
    country: Shown | None
    picture: Outline | None


def query(thing: NamedNode) -> str | None:
    """The places that have a country or coordinates: ?place ?country ?code ?lat ?long; None of what is nowhere."""
    if thing.value.startswith(_NOWHERE):
        return None
    return (
        f"SELECT DISTINCT ?place ?country ?code ?lat ?long {{\n"
        f"  {{ BIND({thing} AS ?place) }} UNION {{ {thing} {_AT} ?place }}\n"
        f"  OPTIONAL {{ ?place {sse('within')}* ?country . ?country {sse('countryCode')} ?code }}\n"
        # Two: an engine looks for all that have both where one asks for both at once.
        f"  OPTIONAL {{ ?place {_LATITUDE} ?lat }} OPTIONAL {{ ?place {_LONGITUDE} ?long }}\n"
        f"  FILTER(BOUND(?code) || BOUND(?lat))\n}} LIMIT {_LOOKED_AT}"
    )


def things(rows: Iterable[Mapping[str, Any]]) -> set[NamedNode]:
    """What has names among the answers."""
    found = (row[name] for row in rows for name in ("place", "country") if name in row)
    return {each for each in found if isinstance(each, NamedNode)}


def told(rows: Sequence[Mapping[str, Any]], outlines: Mapping[str, Any], names: Names) -> Whereabouts | None:
    """What the answers tell; None where they tell nothing."""
    known = [(row, _point(row)) for row in rows if isinstance(row.get("place"), NamedNode)]
    known = [(row, point) for row, point in known if point or "code" in row]
    if not known:
        return None
    codes = Counter[str]()
    for row, point in known:
        code = _code(row) or (outline.country_at(outlines, point) if point else None)
        if code in outlines:
            codes[str(code)] += 1 + bool(point)
    code = min(codes, key=lambda each: (-codes[each], each), default=None)
    country = next((row["country"] for row, _ in known if _code(row) == code), None)
    points = [point for _, point in known if point]
    places = {
        (row["place"], row.get("country"), point): Place(
            names.shown(row["place"]),
            names.shown(row["country"]) if row.get("country") not in (None, row["place"]) else None,
            (point[1], point[0]) if point else None,
        )
        for row, point in known
    }
    listed = sorted(places.values(), key=lambda each: (each.name.text.casefold(), each.at or (0.0, 0.0)))
    return Whereabouts(
        tuple(listed[:MOST]),
        len(listed) - len(listed[:MOST]),
        names.shown(country) if country else None,
        outline.drawn(outlines[code], points) if code else None,
    )


def _code(row: Mapping[str, Any]) -> str | None:
    code = row.get("code")
    return code.value.upper() if isinstance(code, Literal) else None


def _point(row: Mapping[str, Any]) -> Point | None:
    """Longitude and latitude in degrees; None where they are none."""
    try:
        x, y = float(row["long"].value), float(row["lat"].value)
    except (KeyError, ValueError, AttributeError):
        return None
    return (x, y) if math.isfinite(x) and math.isfinite(y) and abs(x) <= 180 and abs(y) <= 90 else None
