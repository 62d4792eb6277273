"""Lists in formats other than JSON: CSV for spreadsheets, GeoJSON for maps."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from typing import Any

from kg_service.rdf import Format, NamedNode

GEO_JSON = Format("geojson", ("application/geo+json",), ("geojson",))
#: What parts the values of one cell.
SEPARATOR = " | "
#: What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

_LATITUDE = "<http://www.w3.org/2003/01/geo/wgs84_pos#lat>|<https://schema.org/latitude>"
_LONGITUDE = "<http://www.w3.org/2003/01/geo/wgs84_pos#long>|<https://schema.org/longitude>"


def as_csv(things: Iterable[dict[str, Any]], columns: Sequence[str]) -> bytes:
    """A line per thing below the names of the columns (RFC 4180); no text of ours begins a formula."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    for thing in things:
        writer.writerow([_cell(thing.get(name)) for name in columns])
    return out.getvalue().encode("utf-8")


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return _cell(SEPARATOR.join(str(each) for each in value))
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text


def points_query(things: Sequence[str], path: str | None) -> str:
    """Where things are: their own coordinates, or those of the places at the end of a path."""
    these = " ".join(str(NamedNode(each)) for each in things)
    at = f"?iri {path} ?place . " if path else "BIND(?iri AS ?place) "
    return (
        f"SELECT ?iri ?lat ?long {{ VALUES ?iri {{ {these} }} {at}"
        f"?place {_LATITUDE} ?lat ; {_LONGITUDE} ?long }} ORDER BY ?iri ?place ?lat ?long"
    )


def as_geojson(things: Iterable[dict[str, Any]], points: Iterable[dict[str, dict[str, str]]]) -> dict[str, Any]:
    """A FeatureCollection (RFC 7946); what nobody located has no geometry, and what is in several places several."""
    known: dict[str, list[list[float]]] = {}
    for row in points:
        if (point := _point(row)) and point not in known.setdefault(row["iri"]["value"], []):
            known[row["iri"]["value"]].append(point)
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "id": thing["iri"],
                "geometry": _geometry(known.get(thing["iri"], [])),
                "properties": thing,
            }
            for thing in things
        ],
    }


def _point(row: dict[str, dict[str, str]]) -> list[float] | None:
    """Longitude and latitude, in this order (RFC 7946, section 3.1.1)."""
    try:
        latitude, longitude = float(row["lat"]["value"]), float(row["long"]["value"])
    except ValueError:
        return None
    is_on_earth = math.isfinite(latitude) and math.isfinite(longitude) and abs(latitude) <= 90 and abs(longitude) <= 180
    return [longitude, latitude] if is_on_earth else None


def _geometry(points: list[list[float]]) -> dict[str, Any] | None:
    if not points:
        return None
    if len(points) == 1:
        return {"type": "Point", "coordinates": points[0]}
    return {"type": "MultiPoint", "coordinates": points}
