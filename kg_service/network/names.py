"""What nodes are called, and what they are like, from files of rows."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kg_service.languages import best_text
from kg_service.rdf import NamedNode


@dataclass(frozen=True, slots=True)
class Names:
    """The names of things by language."""

    of: Mapping[str, Mapping[str, str]]

    def name(self, iri: str, languages: Sequence[str] = ()) -> str:
        """The name in the first of those languages that there is one in, else in English, else in another, else the end
        of the IRI.
        """
        return self.named(iri, languages)[0]

    def named(self, iri: str, languages: Sequence[str] = ()) -> tuple[str, str]:
        """The same with the language that it is in; none where it is not known, or no name at all."""
        text, tag = best_text(self.of.get(iri, {}), languages) or (_end(iri), None)
        return text, tag or ""


def _end(iri: str) -> str:
    return iri.rstrip("/").rpartition("#")[2].rpartition("/")[2] or iri


#: Bytes of a file that is looked through for what it mentions.
_LOOKED_THROUGH = 8 * 2**20


def mentioned(path: Path, most: int) -> frozenset[str] | None:
    """The IRIs in a file of rows; None where they are more than that, or the file is a long one."""
    if path.stat().st_size > _LOOKED_THROUGH:
        return None
    found: set[str] = set()
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.reader(file):
            found.update(each for each in row if _is_iri(each))
            if len(found) > most:
                return None
    return frozenset(found)


def _is_iri(text: str) -> bool:
    if ":" not in text:
        return False
    try:
        NamedNode(text)
    except ValueError:
        return False
    return True


def names_in(*paths: Path) -> Names:
    """The names in the rows of `queries/nodes/names.rq`; of several in a language the first."""
    found: dict[str, dict[str, str]] = {}
    for path in paths:
        with path.open(encoding="utf-8", newline="") as file:
            for node, language, label in list(csv.reader(file))[1:]:
                found.setdefault(node, {}).setdefault(language, label)
    return Names(found)


def attributes_in(path: Path, leading: Mapping[str, str]) -> dict[str, dict[str, tuple[str, ...]]]:
    """By attribute and node, the values in the rows of `queries/nodes/attributes.rq`, which may come in any order.

    `leading` names the node that an entry is part of, where it is not one of its own.
    """
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for node, attribute, value in sorted(list(csv.reader(file))[1:]):
            nodes, place = found.setdefault(attribute, {}), leading.get(node, node)
            nodes[place] = tuple(dict.fromkeys((*nodes.get(place, ()), value)))
    return found
