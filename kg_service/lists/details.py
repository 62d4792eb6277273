"""What a list tells of the members on a page: their fields, the things that they are linked to, and the evidence.

The queries are made of the paths that a collection declares and of IRIs that came from the graph; each names the things
that it asks about in VALUES, so that it costs what the page costs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from kg_service.lists.columns import Table, Value, value_of
from kg_service.lists.declared import LABEL, Field
from kg_service.lists.selection import best
from kg_service.rdf import PREF_LABEL, PREFIXES, RDF_TYPE, Literal, NamedNode

#: The largest number of linked things that come in full with a page.
MOST_INCLUDED = 1000
Rows = list[dict[str, dict[str, str]]]

_CLAIMS = """SELECT ?claim ?subject ?property ?value ?certainty ?document ?rationale ?method ?quotation ?exact ?prefix
  ?suffix ?start ?end ?source ?file ?graph {
  %s GRAPH ?graph { ?claim rdf:subject ?subject }
  ?claim rdf:subject ?subject ; rdf:predicate ?property ; rdf:object ?value .
  OPTIONAL { ?claim sse:certainty ?certainty }
  OPTIONAL { ?claim dcterms:source ?document }
  OPTIONAL { ?claim sse:rationale ?rationale }
  OPTIONAL { ?claim sse:method ?method }
  OPTIONAL {
    ?claim sse:evidence ?quotation .
    ?quotation oa:exact ?exact .
    OPTIONAL { ?quotation oa:prefix ?prefix }
    OPTIONAL { ?quotation oa:suffix ?suffix }
    OPTIONAL { ?quotation oa:start ?start }
    OPTIONAL { ?quotation oa:end ?end }
    OPTIONAL { ?quotation sse:quotedFrom ?source . OPTIONAL { ?source sse:sourceFile ?file } }
  }
}"""
_PREFIXES = "".join(f"PREFIX {name}: <{PREFIXES[name]}>\n" for name in ("rdf", "sse", "dcterms", "oa"))


def values(variable: str, things: Iterable[str]) -> str:
    """A VALUES clause of IRIs."""
    return f"VALUES ?{variable} {{ {' '.join(str(NamedNode(each)) for each in things)} }}"


def rows(results: bytes) -> Rows:
    found: Rows = json.loads(results)["results"]["bindings"]
    return found


# ---- Fields ----


def asked(fields: Sequence[Field], table: Table | None) -> list[Field]:
    """The fields that must be asked for, because their column is not kept; names of things always are."""
    return [each for each in fields if table is None or each.name not in table.columns or each.kind == "name"]


def query(things: Sequence[str], fields: Sequence[Field]) -> str:
    """All (thing, field, value) of some things, the field by its place; for a thing by name, its names in ?name."""
    these, name = values("iri", things), f"OPTIONAL {{ ?v {PREF_LABEL} ?name }} "
    parts = (
        f"{{ {these} ?iri {each.path} ?v {name if each.kind == 'name' else ''}BIND({place} AS ?f) }}"
        for place, each in enumerate(fields)
    )
    return f"SELECT ?iri ?f ?v ?name {{ {' UNION '.join(parts)} }}"


def objects(
    things: Sequence[str], fields: Sequence[Field], table: Table | None, found: Rows, languages: Sequence[str]
) -> list[dict[str, Any]]:
    """The things as JSON objects, with the fields in the order of their declaration."""
    asked_for = asked(fields, table)
    told: dict[tuple[str, str], list[Value]] = {}
    names: dict[str, list[Value]] = {}
    for row in found:
        field = asked_for[int(row["f"]["value"])]
        value = value_of(row["v"], field)
        if value is None:
            continue
        if field.kind == "name" and "name" in row:
            named = names.setdefault(str(value), [])
            named.append((row["name"].get("xml:lang", ""), row["name"]["value"]))
        have = told.setdefault((row["iri"]["value"], field.name), [])
        if value not in have:
            have.append(value)

    def of(iri: str, field: Field) -> Sequence[Value]:
        if field in asked_for:
            return told.get((iri, field.name), ())
        assert table
        return table.columns[field.name].get(iri, ())

    return [{"iri": iri} | _object(fields, lambda field, iri=iri: of(iri, field), names, languages) for iri in things]


def _object(
    fields: Sequence[Field], of: Any, names: dict[str, list[Value]], languages: Sequence[str]
) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for field in fields:
        said = of(field)
        if field == LABEL:
            label = best(said, *languages)
            made |= {"label": label[1] if label else None, "language": (label[0] or None) if label else None}
            continue
        if field.kind == "text" and said:
            chosen = best(said, *languages)
            assert chosen
            shown: list[Any] = sorted(text for tag, text in said if tag == chosen[0]) if field.is_many else [chosen[1]]
        elif field.kind == "name":
            shown = [name[1] if (name := best(names.get(str(each), ()), *languages)) else each for each in sorted(said)]
        else:
            shown = sorted(said)
        made[field.name] = shown if field.is_many else (shown[0] if shown else None)
    return made


# ---- Linked things ----


def targets_query(things: Sequence[str], field: Field) -> str:
    return f"SELECT DISTINCT ?v {{ {values('iri', things)} ?iri {field.path} ?v }} ORDER BY ?v LIMIT {MOST_INCLUDED}"


def full_query(things: Sequence[str]) -> str:
    """All that is said of things."""
    return f"SELECT ?iri ?p ?v {{ {values('iri', things)} ?iri ?p ?v }}"


def labels_query(things: Sequence[str]) -> str:
    return f"SELECT ?iri ?v {{ {values('iri', things)} ?iri {PREF_LABEL} ?v }}"


def labels(found: Rows, language: str) -> dict[str, str]:
    """The name of each thing in a language."""
    names: dict[str, list[Value]] = {}
    for row in found:
        names.setdefault(row["iri"]["value"], []).append((row["v"].get("xml:lang", ""), row["v"]["value"]))
    return {iri: chosen[1] for iri, each in names.items() if (chosen := best(each, language))}


def full(things: Sequence[str], found: Rows, language: str) -> list[dict[str, Any]]:
    """Linked things in full: iri, label, types, and properties by their short names."""
    said: dict[str, dict[str, list[dict[str, str]]]] = {}
    for row in found:
        said.setdefault(row["iri"]["value"], {}).setdefault(row["p"]["value"], []).append(row["v"])
    made = []
    for iri in things:
        properties = said.get(iri, {})
        label = best(
            [(each.get("xml:lang", ""), each["value"]) for each in properties.get(PREF_LABEL.value, ())], language
        )
        made.append(
            {
                "iri": iri,
                "label": label[1] if label else None,
                "language": (label[0] or None) if label else None,
                "types": sorted(each["value"] for each in properties.get(RDF_TYPE.value, ())),
                "properties": {
                    short(name): sorted((plain(each) for each in each_value), key=str)
                    for name, each_value in sorted(properties.items())
                    if name not in (RDF_TYPE.value,)
                },
            }
        )
    return made


def short(iri: str) -> str:
    """An IRI with a prefix, where one of ours fits."""
    for prefix, begin in PREFIXES.items():
        if iri.startswith(begin) and prefix != "id":
            return f"{prefix}:{iri.removeprefix(begin)}"
    return iri


def plain(term: dict[str, str]) -> Any:
    """A term of a SPARQL JSON result as JSON: numbers and booleans as such, words of a language with it, else text."""
    if "xml:lang" in term:
        return {"value": term["value"], "language": term["xml:lang"]}
    kind = term.get("datatype", "").rpartition("#")[2]
    try:
        if kind == "integer":
            return int(term["value"])
        if kind in ("decimal", "double"):
            return float(term["value"]) if abs(float(term["value"])) < float("inf") else term["value"]
    except ValueError:
        return term["value"]
    return term["value"] in ("true", "1") if kind == "boolean" else term["value"]


# ---- Evidence ----


def claims_query(things: Sequence[str]) -> str:
    """The claims on things, with the quotations that they rest on."""
    return _PREFIXES + _CLAIMS % values("subject", things)


def claims_of_query(thing: str, statements: Iterable[tuple[NamedNode, NamedNode | Literal]]) -> str:
    """The claims that say some (property, value) of one thing."""
    pairs = " ".join(f"({name} {value})" for name, value in statements)
    return _PREFIXES + _CLAIMS % f"{values('subject', [thing])} VALUES (?property ?value) {{ {pairs} }}"


def term(written: dict[str, str]) -> NamedNode | Literal | None:
    """A term of a SPARQL JSON result; None for a blank node, which no other query knows."""
    if written["type"] == "uri":
        return NamedNode(written["value"])
    if written["type"] == "bnode":
        return None
    if "xml:lang" in written:
        return Literal(written["value"], language=written["xml:lang"])
    datatype = written.get("datatype")
    return Literal(written["value"], datatype=NamedNode(datatype) if datatype else None)


def claims(found: Rows) -> list[dict[str, Any]]:
    """One object per claim: what it says, how certain it is, and each quotation with its place in the source."""
    made: dict[str, dict[str, Any]] = {}
    for row in found:
        said = {name: term["value"] for name, term in row.items()}
        claim = made.setdefault(
            said["claim"],
            {"iri": said["claim"], "subject": said["subject"], "property": said["property"], "value": row["value"]}
            | {name: said.get(name) for name in ("certainty", "document", "method")}
            | {"graph": said["graph"], "rationale": None, "evidence": []},
        )
        if "rationale" in row and (claim["rationale"] is None or row["rationale"].get("xml:lang") == "en"):
            claim["rationale"] = said["rationale"]
        if "quotation" in said and all(each["iri"] != said["quotation"] for each in claim["evidence"]):
            texts: dict[str, Any] = {name: said.get(name) for name in ("exact", "prefix", "suffix")}
            offsets = {name: plain(row[name]) if name in row else None for name in ("start", "end")}
            where = {"document": said.get("source"), "file": said.get("file")}
            claim["evidence"].append({"iri": said["quotation"], **texts, **offsets, **where})
    for claim in made.values():
        claim["evidence"].sort(key=lambda each: (str(each["file"]), str(each["start"]).rjust(12), each["iri"]))
    return sorted(made.values(), key=lambda each: str(each["iri"]))
