"""Values of properties for things that were matched, row by row."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from kg_service.languages import best_tag, place
from kg_service.linked_data.asking import Asking
from kg_service.linked_data.reconciliation import facts
from kg_service.linked_data.reconciliation.vocabulary import TOGETHER, Vocabulary, expanded, is_iri, is_property
from kg_service.linked_data.reconciliation.writing import language_members, value
from kg_service.rdf import Literal, NamedNode, Term

#: A value, its name where it is a thing, and the language of its words.
Cell: TypeAlias = tuple[Term, str, str]
#: Of each thing, the values of each property as they are asked for.
Rows: TypeAlias = list[tuple[str, dict[str, list[Cell]]]]


async def extended(
    ids: Sequence[str],
    properties: Sequence[tuple[str, Mapping[str, Any]]],
    asking: Asking,
    vocabulary: Vocabulary,
    languages: tuple[str, ...],
) -> Rows:
    """For each identifier, by the properties as they were named: values with their names and languages."""
    things = {id_: expanded(id_) for id_ in ids}
    nodes = [NamedNode(iri) for iri in dict.fromkeys(things.values()) if is_iri(iri) and "://" in iri]
    asked = {name: vocabulary.property_iri(name) for name, _ in properties}
    single = {each for iri in asked.values() for each in TOGETHER.get(iri, (iri,)) if is_property(each)}
    rows = await asking.rows(facts.values(nodes, sorted(single))) if nodes and single else []
    found: dict[tuple[str, str], dict[Term, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        names = found[row["thing"].value, row["property"].value][row["value"]]
        name = row.get("name")
        if isinstance(name, Literal):
            names.setdefault(name.language or "", name.value)
    extended_rows: Rows = []
    for id_, iri in things.items():
        cells: dict[str, list[Cell]] = {}
        for name, settings in properties:
            here = [found.get((iri, each), {}) for each in TOGETHER.get(asked[name], (asked[name],))]
            cells[name] = _cell((pair for each in here for pair in each.items()), settings, languages)
        extended_rows.append((id_, cells))
    return extended_rows


def _cell(
    found: Iterable[tuple[Term, Mapping[str, str]]], settings: Mapping[str, Any], languages: tuple[str, ...]
) -> list[Cell]:
    """The values in order; of texts, those in the client's language first."""
    cells: list[Cell] = []
    for term, names in found:
        language = best_tag(names, languages) or ""
        own = (term.language or "") if isinstance(term, Literal) else language
        cells.append((term, names.get(language, ""), own))
    cells.sort(key=lambda each: (place(each[2], languages), each[1] or str(each[0]), str(each[0])))
    limit = str(settings.get("limit", "0"))
    return cells[: int(limit)] if re.fullmatch("[0-9]{1,6}", limit) and int(limit) else cells


def meta(
    properties: Sequence[tuple[str, Mapping[str, Any]]], vocabulary: Vocabulary, languages: tuple[str, ...]
) -> list[dict[str, Any]]:
    """The columns: each property with its name and, where there is one, the class of its values."""
    columns = []
    for name, _ in properties:
        iri = vocabulary.property_iri(name)
        named = vocabulary.property_named(iri, languages)
        column: dict[str, Any] = {"id": name, "name": named.name if named else name}
        if range_ := vocabulary.range_of(iri):
            type_ = vocabulary.type_named(range_, languages)
            column["type"] = {"id": range_, "name": type_.name if type_ else range_}
        columns.append(column)
    return columns


def answer_0_2(columns: list[dict[str, Any]], rows: Rows) -> dict[str, Any]:
    """The data extension response of version 0.2: an empty cell is an empty list."""
    cells = {
        id_: {name: [value(term, label) for term, label, _ in found] for name, found in row.items()}
        for id_, row in rows
    }
    return {"meta": columns, "rows": cells}


def answer_1_0(columns: list[dict[str, Any]], rows: Rows) -> dict[str, Any]:
    """That of 1.0-draft, where things and words say their language."""

    def written(term: Term, label: str, language: str) -> dict[str, Any]:
        made = value(term, label)
        return made | language_members(language) if "str" in made or "id" in made else made

    return {
        "meta": columns,
        "rows": [
            {
                "id": id_,
                "properties": [
                    {"id": name, "values": [written(*each) for each in found]} for name, found in row.items()
                ],
            }
            for id_, row in rows
        ],
    }
