"""Value tests as SPARQL expressions.

Each expression is true when the value passes and false when not; it is never an error, so it can be negated. What a
regular expression means is what the engine's REGEX says (Rust's `regex` crate: no look-around, no back-references);
a pattern that the engine cannot read is refused when shapes are loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pyoxigraph import BlankNode, Literal, NamedNode, Store

from kg_service.shacl.graph import SH, XSD, Term
from kg_service.shacl.marks import is_instance
from kg_service.shacl.shapes import ValueTest


def passes(test: ValueTest, variable: str) -> str:
    """The expression that says whether the value of `variable` passes the test."""
    name = test.component.value.removeprefix(SH).removesuffix("ConstraintComponent")
    return _EXPRESSIONS[name](test, variable)


def is_readable(engine: Store, pattern: str, flags: str) -> bool:
    """Can the engine read the regular expression?"""
    solutions: Any = engine.query(f"SELECT (REGEX('', {Literal(pattern)}, {Literal(flags)}) AS ?readable) WHERE {{}}")
    return next(solutions)["readable"] is not None


def both(expressions: list[str]) -> str:
    """True when all are."""
    return "(" + " && ".join(expressions) + ")" if expressions else "true"


def either(expressions: list[str]) -> str:
    """True when at least one is."""
    return "(" + " || ".join(expressions) + ")" if expressions else "false"


def same(variable: str, term: Term) -> str:
    """Is it this very term? A blank node of the shapes graph is in no other graph."""
    return "false" if isinstance(term, BlankNode) else f"sameTerm({variable}, {term})"


def not_in(variable: str, names: tuple[NamedNode, ...]) -> str:
    """Is it none of these? `NOT IN ()`, which ought to be true, finds nothing in this engine."""
    return f"!{one_of(variable, names)}" if names else "true"


#: From so many on, one search in a text is faster than a comparison with each: the engine takes quadratic time to read
#: a chain of choices, and compiles a regular expression anew for each query.
_MANY = 8
#: A search takes time that grows with the text.
_LONGEST = 8_000


def one_of(variable: str, names: Sequence[NamedNode]) -> str:
    """Is it one of these IRIs?"""
    listed = "".join(map(str, names))
    if len(names) < _MANY or len(listed) > _LONGEST:
        return f"({variable} IN ({', '.join(map(str, names))}))"
    return f'(isIRI({variable}) && CONTAINS({Literal(listed)}, CONCAT("<", STR({variable}), ">")))'


def _class(test: ValueTest, v: str) -> str:
    (kind,) = test.terms
    assert isinstance(kind, NamedNode)
    return is_instance(v, kind)


def _node_kind(test: ValueTest, v: str) -> str:
    (kind,) = test.terms
    assert isinstance(kind, NamedNode)
    checks = {"IRI": "isIRI", "BlankNode": "isBlank", "Literal": "isLiteral"}
    return either([f"{checks[each]}({v})" for each in kind.value.removeprefix(SH).split("Or")])


def _datatype(test: ValueTest, v: str) -> str:
    (datatype,) = test.terms
    assert isinstance(datatype, NamedNode)
    return both([f"isLiteral({v})", f"sameTerm(DATATYPE({v}), {datatype})", *_well_formed(datatype, v)])


#: Types whose valid literals the store keeps under another type (integer, dateTime), so that none is ever met.
_NEVER_STORED = {"byte", "short", "int", "long", "unsignedByte", "unsignedShort", "unsignedInt", "dateTimeStamp"}
#: Types whose literals stay as they are only beyond 64 bits.
_BEYOND_64_BITS = {
    "nonNegativeInteger": r"^[+]?[0-9]+$",
    "positiveInteger": r"^[+]?[0-9]+$",
    "nonPositiveInteger": r"^-[0-9]+$",
    "negativeInteger": r"^-[0-9]+$",
}
_CAST = {
    "dateTime", "date", "time", "gYear", "gYearMonth", "gMonth", "gDay",
    "duration", "dayTimeDuration", "yearMonthDuration",
}  # fmt: skip


#: The engine's own xsd:gMonthDay knows no 29 February.
_MONTH_AND_DAY = (
    "^--((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|[12][0-9]))"
    "(Z|[+-][0-9]{2}:[0-9]{2})?$"
)


def _well_formed(datatype: NamedNode, v: str) -> list[str]:
    """What else the literal must be: an ill-typed literal keeps its datatype in the store."""
    name = datatype.value.removeprefix(XSD) if datatype.value.startswith(XSD) else ""
    if name == "integer":
        return [f"(isNumeric({v}) || {_matches(v, '^[+-]?[0-9]+$')})"]
    if name == "decimal":
        return [f"(isNumeric({v}) || {_matches(v, '^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)$')})"]
    if name in ("float", "double"):
        return [f"isNumeric({v})"]
    if name == "boolean":
        return [f'STR({v}) IN ("true", "false", "1", "0")']
    if name in _CAST:
        return [f'COALESCE(STR({datatype}({v})) != "", false)']
    if name == "gMonthDay":
        return [_matches(v, _MONTH_AND_DAY)]
    if name in _NEVER_STORED:
        return ["false"]
    if name == "unsignedLong":
        small = f'STRLEN(STR({v})) < 20 || STR({v}) <= "18446744073709551615"'
        return [f"{_matches(v, '^[1-9][0-9]{0,19}$')} && ({small})"]
    return [_matches(v, _BEYOND_64_BITS[name])] if name in _BEYOND_64_BITS else []


def _matches(v: str, pattern: str) -> str:
    return f"REGEX(STR({v}), {Literal(pattern)})"


def _compares(operator: str) -> Callable[[ValueTest, str], str]:
    return lambda test, v: f"COALESCE({v} {operator} {test.terms[0]}, false)"


def _length(operator: str) -> Callable[[ValueTest, str], str]:
    return lambda test, v: f"({_has_text(v)} && STRLEN(STR({v})) {operator} {test.terms[0]})"


def _has_text(v: str) -> str:
    return f"(isIRI({v}) || isLiteral({v}))"


def _pattern(test: ValueTest, v: str) -> str:
    flags = f", {Literal(test.flags)}" if test.flags else ""
    return f"({_has_text(v)} && REGEX(STR({v}), {test.terms[0]}{flags}))"


def _language_in(test: ValueTest, v: str) -> str:
    ranges = [language.value for language in test.terms if isinstance(language, Literal)]
    plain = [each.lower() for each in ranges if each.isascii() and each.isalpha()]
    listed = []
    if len(plain) >= _MANY:
        # langMatches is basic filtering (RFC 4647, section 3.3.1): one subtag is compared with the first of the tag.
        ranges = [each for each in ranges if each.lower() not in plain]
        among = f" {' '.join(plain)} "
        first = f'STRBEFORE(CONCAT(LCASE(LANG({v})), "-"), "-")'
        listed = [f'CONTAINS({Literal(among)}, CONCAT(" ", {first}, " "))']
    return f"(isLiteral({v}) && {either(listed + [f'langMatches(LANG({v}), {Literal(each)})' for each in ranges])})"


def _in(test: ValueTest, v: str) -> str:
    iris = [term for term in test.terms if isinstance(term, NamedNode)]
    choices = [one_of(v, iris)] if iris else []
    return either(choices + [same(v, term) for term in test.terms if not isinstance(term, NamedNode)])


_EXPRESSIONS: dict[str, Callable[[ValueTest, str], str]] = {
    "Class": _class,
    "Datatype": _datatype,
    "NodeKind": _node_kind,
    "MinExclusive": _compares(">"),
    "MinInclusive": _compares(">="),
    "MaxExclusive": _compares("<"),
    "MaxInclusive": _compares("<="),
    "MinLength": _length(">="),
    "MaxLength": _length("<="),
    "Pattern": _pattern,
    "LanguageIn": _language_in,
    "In": _in,
}
