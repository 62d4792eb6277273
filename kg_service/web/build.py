"""A query put together of choices: things of a class, what is to be shown of them, and what must hold."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kg_service.rdf import PREF_LABEL, PREFIXES, RDF_TYPE, Literal, NamedNode
from kg_service.web.fields import Field
from kg_service.web.names import naming

#: Rows of an answer; the query can be changed.
MOST = 1_000
#: Variables that every query has.
_TAKEN = ("thing", "name")
_LOCAL = re.compile(r"[#/]([A-Za-z][A-Za-z0-9]*)$")


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold of a property: a value, words in a text, or a span of time (`first` to `last`)."""

    field: Field
    text: str = ""
    first: str = ""
    last: str = ""


def variables(fields: Sequence[Field]) -> dict[str, str]:
    """The variable of each property by its IRI: the end of it, and never one that another has."""
    found: dict[str, str] = {}
    for each in fields:
        match = _LOCAL.search(each.iri)
        name = match[1] if match else "value"
        while name in found.values() or name in _TAKEN:
            name += "_"
        found[each.iri] = name
    return found


def built(
    iri: str, fields: Sequence[Field], shown: Sequence[Field], conditions: Sequence[Condition], tongues: Sequence[str]
) -> str:
    """The query, with names in the first of the reader's languages that there are any in; terms stand in it as terms,
    never as typed.
    """
    names = variables(fields)
    lines = [f"  ?thing {_short(RDF_TYPE.value)} {_short(iri)} ."]
    for each in conditions:
        lines += _holding(each, names[each.field.iri])
    label = _short(PREF_LABEL.value)
    lines += [f"  {line}" for line in naming("?thing", "?name", tongues, by=label)]
    chosen = ["?thing", "?name"]
    for field in shown:
        name, path = names[field.iri], _short(field.iri)
        chosen.append(f"?{name}")
        if field.kind in ("thing", "choice"):
            chosen.append(f"?{name}_name")
            lines.append(f"  OPTIONAL {{ ?thing {path} ?{name} .")
            lines += [f"    {line}" for line in naming(f"?{name}", f"?{name}_name", tongues, by=label)]
            lines.append("  }")
        else:
            lines.append(f"  OPTIONAL {{ ?thing {path} ?{name} }}")
    body = "\n".join(lines)
    used = sorted({match[1] for match in re.finditer(r"(?<![<\w:/#])([a-z]+):[A-Za-z]", body)} & set(PREFIXES))
    head = "".join(f"PREFIX {prefix}: <{PREFIXES[prefix]}>\n" for prefix in used)
    # By name as people sort; and texts that are made here are compared without looking each up again.
    order = "ORDER BY LCASE(STR(?name)) ?thing"
    return f"{head}SELECT DISTINCT {' '.join(chosen)}\nWHERE {{\n{body}\n}}\n{order}\nLIMIT {MOST}"


def _holding(of: Condition, name: str) -> list[str]:
    """The lines of a condition."""
    path, variable = _short(of.field.iri), f"?{name}_held"
    lines: list[str] = []
    if of.field.kind == "date" and (of.first or of.last):
        lines.append(f"  ?thing {path} {variable} .")
        # As texts, so that a year holds its months and days.
        if of.first:
            lines.append(f"  FILTER(STR({variable}) >= {Literal(of.first)})")
        if of.last:
            lines.append(f"  FILTER(SUBSTR(STR({variable}), 1, {len(of.last)}) <= {Literal(of.last)})")
    elif of.text and of.field.kind in ("text", "words", "address"):
        lines.append(f"  ?thing {path} {variable} .")
        lines.append(f"  FILTER(CONTAINS(LCASE(STR({variable})), LCASE({Literal(of.text)})))")
    elif of.text and (term := of.field.term(of.text)) is not None:
        lines.append(f"  ?thing {path} {term} .")
    return lines


def _short(iri: str) -> str:
    """An IRI as a query writes it: with a prefix where the rest is a plain name."""
    if iri == RDF_TYPE.value:
        return "a"
    for prefix, begin in sorted(PREFIXES.items(), key=lambda each: -len(each[1])):
        if iri.startswith(begin) and re.fullmatch(r"[A-Za-z][A-Za-z0-9]*", iri.removeprefix(begin)):
            return f"{prefix}:{iri.removeprefix(begin)}"
    return str(NamedNode(iri))


def conditions(fields: Sequence[Field], given: Mapping[str, str]) -> list[Condition]:
    """What was typed, as conditions; `given` are texts by the names of the form's fields."""
    found = [
        Condition(each, given.get(each.id, ""), given.get(f"{each.id}-from", ""), given.get(f"{each.id}-to", ""))
        for each in fields
    ]
    return [each for each in found if each.text or each.first or each.last]
