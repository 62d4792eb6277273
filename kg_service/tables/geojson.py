"""GeoJSON as a table (RFC 7946): a row for each feature, a column for each property, and two for where its point is."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from kg_service.errors import Malformed, TooLarge
from kg_service.tables.rows import MOST_CHARACTERS, MOST_COLUMNS, MOST_ROWS, Row, Table, normal

#: The columns of a point's coordinates, in their order (section 3.1.1).
_PLACE = ("longitude", "latitude")


def table(text: str, known: Collection[str] = ()) -> Table:
    """The features of a collection, numbered from 1; of all properties those that are `known`, if any are given.

    What is not text or a number is no cell. Only points have coordinates here; other shapes leave both columns empty.
    """
    features = _features(text)
    if len(features) > MOST_ROWS:
        raise TooLarge(f"the file has more than {MOST_ROWS} features; send it in parts")
    cells = [_cells(number, feature) for number, feature in enumerate(features, 1)]
    names = dict.fromkeys(name for each in cells for name in each if not known or name in known)
    if len(names) > MOST_COLUMNS:
        raise TooLarge(f"the features have more than {MOST_COLUMNS} properties")
    rows = (Row(number, tuple(each.get(name, "") for name in names)) for number, each in enumerate(cells, 1))
    return Table(tuple(names), tuple(rows), ("GeoJSON", f"{len(features)} features"))


def _features(text: str) -> list[Any]:
    try:
        read = json.loads(text, parse_constant=_refused)
    except json.JSONDecodeError as error:
        raise Malformed(
            f"line {error.lineno}, column {error.colno}: the file is no JSON ({error.msg}); send it again",
            line=error.lineno,
            column=error.colno,
        ) from None
    except (RecursionError, ValueError) as error:
        raise Malformed(f"the file is no JSON that is read here ({error})") from None
    features = read.get("features") if isinstance(read, dict) else None
    if not isinstance(read, dict) or read.get("type") != "FeatureCollection" or not isinstance(features, list):
        raise Malformed(
            'the file is no GeoJSON: it has to be an object with "type": "FeatureCollection" and "features"'
        )
    return features


def _refused(constant: str) -> float:
    raise ValueError(f"{constant} is no number in JSON")


def _cells(number: int, feature: Any) -> dict[str, str]:
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        raise Malformed(f'feature {number} is none: it has to be an object with "type": "Feature"', row=number)
    properties = feature.get("properties")
    if not isinstance(properties, dict | None):
        raise Malformed(f"feature {number}: its properties have to be an object, or null", row=number)
    found = {name: _written(number, value) for key, value in (properties or {}).items() if (name := normal(key))}
    geometry = feature.get("geometry")
    if not isinstance(geometry, dict | None):
        raise Malformed(f"feature {number}: its geometry has to be an object, or null", row=number)
    if geometry and geometry.get("type") == "Point":
        place = geometry.get("coordinates")
        if not isinstance(place, list) or not 2 <= len(place) <= 4 or not all(_is_number(each) for each in place):
            raise Malformed(
                f"feature {number}: the coordinates of a point are two numbers, longitude and latitude", row=number
            )
        found |= zip(_PLACE, (_degrees(each) for each in place), strict=False)
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _degrees(value: int | float) -> str:
    return f"{value:.6f}" if abs(value) < 1_000 else f"{float(value):g}" if abs(value) < 1e300 else "1e300"


def _written(number: int, value: Any) -> str:
    """A property as a cell; lists of texts are parted by semicolons."""
    if isinstance(value, list):
        value = ";".join(str(each) for each in value if isinstance(each, str))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        if len(value) > MOST_CHARACTERS:
            raise TooLarge(f"feature {number}: a property holds more than {MOST_CHARACTERS} characters")
        return value.strip()
    return str(value) if isinstance(value, int | float) else ""
