"""Query batches of both versions as `Wanted`; what is wrong with one is said with the place where it stands."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from kg_service.errors import Malformed, TooLarge, wrong_parameter
from kg_service.linked_data.reconciliation import BATCH, CANDIDATES, EXTENDED, QUALIFIERS, Condition, Given, Wanted
from kg_service.linked_data.reconciliation.vocabulary import Vocabulary, expanded, is_iri

#: Characters of a name or value, and conditions of one query.
_LONGEST, _MOST = 1_000, 20


def read_json(text: str | bytes, what: str) -> Any:
    """The value of a JSON text; Malformed says where it goes wrong."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise Malformed(f"{what} is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise Malformed(f"{what} is not JSON: {error.msg}", line=error.lineno, column=error.colno) from None
    except RecursionError:
        raise Malformed(f"{what} is nested too deeply") from None


def _refuse_constant(name: str) -> NoReturn:
    raise Malformed(f"{name} is no JSON")


def batch_0_2(sent: Any, vocabulary: Vocabulary) -> dict[str, Wanted]:
    """The queries of a batch by their names (0.2, section 4)."""
    if not isinstance(sent, dict):
        _refuse("queries", sent, "an object with a query for each name")
    _check_size(sent)
    return {name: _query_0_2(f"queries.{name}", query, vocabulary) for name, query in sent.items()}


def _query_0_2(where: str, query: Any, vocabulary: Vocabulary) -> Wanted:
    known = ("query", "type", "limit", "properties", "type_strict")
    _check_members(where, query, known)
    types = query.get("type", [])
    if isinstance(types, str):
        types = [types]
    if not isinstance(types, list) or not all(isinstance(each, str) for each in types):
        _refuse(f"{where}.type", types, "a class, or a list of classes")
    strictness = query.get("type_strict", "should")
    if strictness not in ("any", "should", "all"):
        _refuse(f"{where}.type_strict", strictness, "one of: any, should, all")
    properties = query.get("properties", [])
    if not isinstance(properties, list) or len(properties) > _MOST:
        _refuse(f"{where}.properties", properties, f"a list of at most {_MOST} properties with values")
    conditions = tuple(
        _condition_0_2(f"{where}.properties.{number}", each, vocabulary) for number, each in enumerate(properties)
    )
    if "query" not in query and not conditions:
        _refuse(where, query, "query or properties are needed")
    text = _text(f"{where}.query", query["query"]) if "query" in query else ""
    return _wanted(
        text, types, conditions, _limit(where, query), vocabulary, needs_all_types=strictness == "all", iri=_iri(text)
    )


def _condition_0_2(where: str, sent: Any, vocabulary: Vocabulary) -> Condition:
    if not isinstance(sent, dict) or not isinstance(sent.get("pid"), str) or "v" not in sent:
        _refuse(where, sent, "an object with pid and v")
    return Condition(vocabulary.property_iri(sent["pid"]), _values(f"{where}.v", sent["v"]))


def batch_1_0(sent: Any, vocabulary: Vocabulary) -> list[Wanted]:
    """The queries of a batch in order (1.0-draft, section 4)."""
    if not isinstance(sent, dict) or not isinstance(sent.get("queries"), list):
        _refuse("queries", sent, "an object with the list queries")
    _check_size(sent["queries"])
    return [_query_1_0(f"queries.{number}", query, vocabulary) for number, query in enumerate(sent["queries"])]


def _query_1_0(where: str, query: Any, vocabulary: Vocabulary) -> Wanted:
    _check_members(where, query, ("type", "limit", "lang", "dir", "conditions"))
    type_ = query.get("type")
    if type_ is not None and not isinstance(type_, str):
        _refuse(f"{where}.type", type_, "one class")
    sent = query.get("conditions")
    if not isinstance(sent, list) or not 0 < len(sent) <= _MOST:
        _refuse(f"{where}.conditions", sent, f"a list of 1 to {_MOST} conditions")
    name, iri, conditions = "", "", list[Condition]()
    for number, each in enumerate(sent):
        here = f"{where}.conditions.{number}"
        if not isinstance(each, dict) or "propertyValue" not in each:
            _refuse(here, each, "an object with matchType and propertyValue")
        kind = each.get("matchType")
        if kind == "name":
            name = _values(here, each["propertyValue"])[0].text
        elif kind == "id":
            value = _values(here, each["propertyValue"])[0]
            iri = value.iri or expanded(value.text)
        elif kind == "property":
            conditions.append(_condition_1_0(here, each, vocabulary))
        else:
            _refuse(f"{here}.matchType", kind, "one of: name, id, property")
    types = [type_] if type_ else []
    return _wanted(name, types, tuple(conditions), _limit(where, query), vocabulary, iri=iri or _iri(name))


def _condition_1_0(where: str, sent: Mapping[str, Any], vocabulary: Vocabulary) -> Condition:
    identifier = sent.get("propertyId")
    if not isinstance(identifier, str) or not identifier:
        _refuse(f"{where}.propertyId", identifier, "a property")
    quantifier, qualifier = sent.get("matchQuantifier", "any"), sent.get("matchQualifier", "Similar")
    if quantifier not in ("any", "all", "none"):
        _refuse(f"{where}.matchQuantifier", quantifier, "one of: any, all, none")
    if qualifier not in QUALIFIERS:
        _refuse(f"{where}.matchQualifier", qualifier, f"one of: {', '.join(QUALIFIERS)}")
    is_required = sent.get("required", False)
    if not isinstance(is_required, bool):
        _refuse(f"{where}.required", is_required, "true or false")
    values = _values(f"{where}.propertyValue", sent["propertyValue"])
    return Condition(vocabulary.property_iri(identifier), values, is_required, quantifier, qualifier)


def extension(sent: Any) -> tuple[list[str], list[tuple[str, Mapping[str, Any]]]]:
    """The identifiers of a data extension query, and its properties with their settings (both versions)."""
    if not isinstance(sent, dict):
        _refuse("extend", sent, "an object with ids and properties")
    ids, properties = sent.get("ids"), sent.get("properties")
    if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
        _refuse("ids", ids, "a list of identifiers")
    if len(ids) > EXTENDED:
        raise TooLarge(
            f"a data extension query may have {EXTENDED} ids at most, this one has {len(ids)}", limit=EXTENDED
        )
    if not isinstance(properties, list) or len(properties) > 2 * _MOST:
        _refuse("properties", properties, f"a list of at most {2 * _MOST} properties")
    found: list[tuple[str, Mapping[str, Any]]] = []
    for number, each in enumerate(properties):
        settings = each.get("settings", {}) if isinstance(each, dict) else None
        if not isinstance(settings, dict) or not isinstance(each.get("id"), str):
            _refuse(f"properties.{number}", each, "an object with id")
        found.append((each["id"], settings))
    return ids, found


def _wanted(
    name: str,
    types: Sequence[str],
    conditions: tuple[Condition, ...],
    limit: int,
    vocabulary: Vocabulary,
    *,
    needs_all_types: bool = False,
    iri: str,
) -> Wanted:
    # A class that nobody knows is kept: nothing is of it, which the scores tell.
    known = tuple(dict.fromkeys(vocabulary.class_iri(each) or each for each in types if each))
    return Wanted(name, iri, known, needs_all_types, conditions, limit)


def _iri(text: str) -> str:
    """The identifier that a name may be: an IRI, or the path of a thing."""
    found = expanded(text.strip())
    return found if "://" in found and is_iri(found) else ""


def _limit(where: str, query: Mapping[str, Any]) -> int:
    limit = query.get("limit", 10)
    is_number = isinstance(limit, int | float) and not isinstance(limit, bool)
    if not is_number or not 1 <= limit < 2**31 or limit != int(limit):
        _refuse(f"{where}.limit", limit, "a whole number from 1 on")
    return min(int(limit), CANDIDATES)


def _values(where: str, sent: Any) -> tuple[Given, ...]:
    """One value or several."""
    values = sent if isinstance(sent, list) else [sent]
    if not 0 < len(values) <= _MOST:
        _refuse(where, sent, f"a value, or a list of 1 to {_MOST} values")
    return tuple(_value(where, each) for each in values)


def _value(where: str, sent: Any) -> Given:
    if isinstance(sent, dict):
        if not isinstance(sent.get("id"), str):
            _refuse(where, sent, "a thing has an id")
        name = sent.get("name", "")
        return Given(name if isinstance(name, str) else "", expanded(sent["id"]))
    if isinstance(sent, bool):
        return Given("true" if sent else "false")
    if isinstance(sent, int | float):
        return Given(f"{sent:g}" if isinstance(sent, float) else str(sent))
    text = _text(where, sent)
    return Given(text, text.strip() if "://" in text and is_iri(text.strip()) else None)


def _text(where: str, sent: Any) -> str:
    if not isinstance(sent, str) or not sent.strip() or len(sent) > _LONGEST:
        _refuse(where, sent, f"1 to {_LONGEST} characters")
    return "".join(c for c in sent if c.isprintable() or c.isspace()).replace("\0", " ")


def _check_members(where: str, query: Any, known: Sequence[str]) -> None:
    if not isinstance(query, dict):
        _refuse(where, query, f"an object with {', '.join(known)}")
    for name in query:
        if name not in known:
            _refuse(f"{where}.{name}"[:200], query[name], f"known members: {', '.join(known)}")


def _check_size(queries: Sequence[Any] | Mapping[str, Any]) -> None:
    if len(queries) > BATCH:
        raise TooLarge(f"a batch may have {BATCH} queries at most, this one has {len(queries)}", limit=BATCH)


def _refuse(where: str, value: Any, allowed: str) -> NoReturn:
    raise wrong_parameter(where, json.dumps(value, ensure_ascii=True)[:120], allowed)
