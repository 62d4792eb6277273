"""The sentence that says what is wrong, for people who do not read shapes; in English and Spanish.

A shape's own sh:message always comes first. Where there is none, the sentence is made from the constraint.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pyoxigraph import Literal, NamedNode

from kg_service.rdf import PREFIXES
from kg_service.shacl.graph import RDF, XSD, Term
from kg_service.shacl.inline import component_name
from kg_service.shacl.paths import Path, sparql
from kg_service.shacl.shapes import (
    Closed,
    Constraint,
    Count,
    HasValue,
    Logic,
    Pair,
    Qualified,
    Shape,
    SparqlRule,
    UniqueLang,
    ValueTest,
)

LANGUAGES = ("en", "es")
_LONGEST = 80


def messages(
    shape: Shape,
    constraint: Constraint,
    *,
    focus: Term,
    value: Term | None,
    path: Path | None,
    bindings: Mapping[str, Term] | None,
    language: str,
) -> tuple[Literal, ...]:
    """All messages of a result, the one for the reader's language first."""
    declared: tuple[Literal, ...] = ()
    if isinstance(constraint, SparqlRule):
        declared = _of_rule(constraint, bindings or {})
    declared = declared or shape.messages
    if not declared:
        declared = tuple(
            Literal(_sentence(tongue, shape, constraint, focus, value, path), language=tongue) for tongue in LANGUAGES
        )
    return tuple(sorted(declared, key=lambda text: _distance(text.language, language)))


def _distance(has: str | None, wanted: str) -> int:
    """How far a language is from the wanted one: itself, a variant, none, English, another."""
    if has is None:
        return 2
    if has.lower() == wanted.lower():
        return 0
    if has.lower().split("-")[0] == wanted.lower().split("-")[0]:
        return 1
    return 3 if has.lower().startswith("en") else 4


def _of_rule(rule: SparqlRule, bindings: Mapping[str, Term]) -> tuple[Literal, ...]:
    message = bindings.get("message")
    if isinstance(message, Literal):
        return (message,)

    def fill(found: re.Match[str]) -> str:
        term = bindings.get(found[1])
        return found[0] if term is None else shown(term, quoted=False)

    def filled(text: Literal) -> Literal:
        words = re.sub(r"\{[?$](\w+)\}", fill, text.value)
        return Literal(words, language=text.language) if text.language else Literal(words)

    return tuple(map(filled, rule.messages))


def compact(iri: NamedNode) -> str:
    """The IRI with the project's longest fitting prefix, or whole."""
    fitting = [(space, name) for name, space in PREFIXES.items() if iri.value.startswith(space)]
    if not fitting:
        return str(iri)
    space, name = max(fitting, key=lambda pair: len(pair[0]))
    return f"{name}:{iri.value.removeprefix(space)}"


def shown(term: Term, *, quoted: bool = True) -> str:
    """A term for people: words in quotation marks, IRIs compact."""
    if isinstance(term, NamedNode):
        return compact(term)
    if isinstance(term, Literal):
        text = term.value if len(term.value) <= _LONGEST else term.value[: _LONGEST - 1] + "…"
        return f"“{text}”" if quoted else text
    return str(term)


def named(node: Term) -> str:
    """The last part of an IRI: what a class or property is called."""
    return re.split(r"[/#:]", node.value.rstrip("/#"))[-1] or node.value if isinstance(node, NamedNode) else ""


def path_name(shape: Shape, path: Path | None, language: str) -> str:
    """What the shape calls its path (sh:name), else the path with short names."""
    if path is None:
        return ""
    names = sorted(shape.names, key=lambda text: _distance(text.language, language)) if path == shape.path else []
    return f"“{names[0].value}”" if names else sparql(path, named)


def _shape_name(shape: Shape, language: str) -> str:
    names = sorted(shape.names, key=lambda text: _distance(text.language, language))
    return names[0].value if names else named(shape.node)


#: What a value must be, by component; en and es.
_REQUIREMENTS = {
    "Class": ("must be of the class {x}", "debe ser de la clase {x}"),
    "Datatype": ("must be {x}", "debe ser {x}"),
    "NodeKind": ("must be {x}", "debe ser {x}"),
    "MinExclusive": ("must be more than {x}", "debe ser mayor que {x}"),
    "MinInclusive": ("must be {x} or more", "debe ser {x} o más"),
    "MaxExclusive": ("must be less than {x}", "debe ser menor que {x}"),
    "MaxInclusive": ("must be {x} or less", "debe ser {x} o menos"),
    "MinLength": ("must have at least {x} characters", "debe tener al menos {x} caracteres"),
    "MaxLength": ("must have at most {x} characters", "debe tener como máximo {x} caracteres"),
    "Pattern": ("must have the form {x}", "debe tener la forma {x}"),
    "LanguageIn": ("must be in one of these languages: {x}", "debe estar en uno de estos idiomas: {x}"),
    "In": ("must be one of: {x}", "debe ser uno de: {x}"),
    "Not": ("must not be what the shape{x} describes", "no debe ser lo que describe la forma{x}"),
    "And": ("must be all that these shapes describe{x}", "debe ser todo lo que describen estas formas{x}"),
    "Or": (
        "must be at least one thing that these shapes describe{x}",
        "debe ser al menos una de las cosas que describen estas formas{x}",
    ),
    "Xone": (
        "must be exactly one thing that these shapes describe{x}",
        "debe ser exactamente una de las cosas que describen estas formas{x}",
    ),
    "Node": ("must be what the shape{x} describes", "debe ser lo que describe la forma{x}"),
}

_KINDS = {
    "IRI": ("a thing with an identifier (IRI)", "una cosa con identificador (IRI)"),
    "Literal": ("a text, number or date", "un texto, número o fecha"),
    "BlankNode": ("a blank node", "un nodo en blanco"),
}
_DATATYPES = {
    XSD + "string": ("a text without a language", "un texto sin idioma"),
    RDF + "langString": ("a text with a language", "un texto con idioma"),
    XSD + "boolean": ("true or false", "verdadero o falso (true, false)"),
    XSD + "integer": ("a whole number", "un número entero"),
    XSD + "decimal": ("a decimal number", "un número decimal"),
    XSD + "double": ("a number", "un número"),
    XSD + "date": ("a date, such as 2024-05-31", "una fecha, como 2024-05-31"),
    XSD + "dateTime": (
        "a date with time, such as 2024-05-31T09:30:00Z",
        "una fecha con hora, como 2024-05-31T09:30:00Z",
    ),
    XSD + "time": ("a time, such as 09:30:00", "una hora, como 09:30:00"),
    XSD + "gYear": ("a year, such as 2024", "un año, como 2024"),
    XSD + "gYearMonth": ("a month of a year, such as 2024-05", "un mes de un año, como 2024-05"),
    XSD + "duration": ("a duration, such as PT2H", "una duración, como PT2H"),
    XSD + "anyURI": ("a web address (xsd:anyURI)", "una dirección web (xsd:anyURI)"),
}

#: What a node must have, by component; en and es.
_SENTENCES = {
    "MinCount": ("{focus} must have at least {n} for {path}.", "{focus} debe tener al menos {n} en {path}."),
    "MaxCount": ("{focus} must have at most {n} for {path}.", "{focus} debe tener como máximo {n} en {path}."),
    "None": ("{focus} must have no value for {path}.", "{focus} no debe tener ningún valor en {path}."),
    "HasValue": ("{focus} must have the value {x} for {path}.", "{focus} debe tener el valor {x} en {path}."),
    "IsValue": ("{focus} must be {x}.", "{focus} debe ser {x}."),
    "Equals": (
        "{focus} must have the same values for {path} and {x}; {value} stands in only one of them.",
        "{focus} debe tener los mismos valores en {path} y en {x}; {value} está solo en uno de los dos.",
    ),
    "Disjoint": (
        "{focus} must not have the same value for {path} and {x}; {value} stands in both.",
        "{focus} no debe tener el mismo valor en {path} y en {x}; {value} está en los dos.",
    ),
    "LessThan": (
        "For {focus}, the value {value} of {path} must come before (be less than) every value of {x}.",
        "En {focus}, el valor {value} de {path} debe ser anterior a (menor que) todo valor de {x}.",
    ),
    "LessThanOrEquals": (
        "For {focus}, the value {value} of {path} must not come after (be more than) any value of {x}.",
        "En {focus}, el valor {value} de {path} no debe ser posterior a (mayor que) ningún valor de {x}.",
    ),
    "UniqueLang": (
        "{focus} must have at most one value for {path} in each language.",
        "{focus} debe tener como máximo un valor en {path} por idioma.",
    ),
    "Closed": (
        "{focus} must not have a value for {path}: its shape does not allow that property.",
        "{focus} no debe tener un valor en {path}: su forma no permite esa propiedad.",
    ),
    "QualifiedMinCount": (
        "{focus} must have at least {n} for {path} that the shape{x} describes.",
        "{focus} debe tener al menos {n} en {path} como los que describe la forma{x}.",
    ),
    "QualifiedMaxCount": (
        "{focus} must have at most {n} for {path} that the shape{x} describes.",
        "{focus} debe tener como máximo {n} en {path} como los que describe la forma{x}.",
    ),
    "Rule": ("{focus} breaks the rule {x}.", "{focus} incumple la regla {x}."),
    "RuleOnValue": (
        "For {focus}, the value {value} of {path} breaks the rule {x}.",
        "En {focus}, el valor {value} de {path} incumple la regla {x}.",
    ),
    "Value": (
        "For {focus}, the value {value} of {path} {requirement}.",
        "En {focus}, el valor {value} de {path} {requirement}.",
    ),
    "Itself": ("{focus} {requirement}.", "{focus} {requirement}."),
}


def _sentence(
    language: str, shape: Shape, constraint: Constraint, focus: Term, value: Term | None, path: Path | None
) -> str:
    tongue = LANGUAGES.index(language)
    words = {
        "focus": shown(focus),
        "path": path_name(shape, path, language),
        "value": "" if value is None else shown(value),
        "x": "",
        "n": "",
        "requirement": "",
    }
    name = component_name(constraint)
    match constraint:
        case ValueTest() | Logic():
            words["requirement"] = _REQUIREMENTS[name][tongue].format(x=_required(constraint, tongue))
            name = "Value" if shape.path is not None else "Itself"
        case Count(_, number):
            name = "None" if number == 0 else name
            words["n"] = _values(number, tongue)
        case Qualified(_, judged, _, number):
            words["n"], words["x"] = _values(number, tongue), _prefixed(_shape_name(judged, language))
        case HasValue(_, term):
            words["x"], name = shown(term), name if shape.path is not None else "IsValue"
        case Pair(_, other):
            words["x"], words["path"] = named(other), words["path"] or words["focus"]
        case SparqlRule():
            words["x"] = named(constraint.component if constraint.is_custom else constraint.node) or named(shape.node)
            name = "RuleOnValue" if path is not None and value is not None else "Rule"
        case UniqueLang() | Closed():
            pass
    return _SENTENCES[name][tongue].format(**words)


def _values(number: int, tongue: int) -> str:
    if number == 1:
        return ("one value", "un valor")[tongue]
    return f"{number} {('values', 'valores')[tongue]}"


def _prefixed(name: str) -> str:
    return f" {name}" if name else ""


def _required(constraint: ValueTest | Logic, tongue: int) -> str:
    if isinstance(constraint, Logic):
        names = [_shape_name(shape, LANGUAGES[tongue]) for shape in constraint.shapes]
        known = ", ".join(name for name in names if name)
        return f": {known}" if known and len(names) > 1 else _prefixed(known)
    terms = constraint.terms
    match component_name(constraint):
        case "Class":
            return named(terms[0])
        case "Datatype":
            datatype = terms[0]
            assert isinstance(datatype, NamedNode)
            other = ("of the data type ", "del tipo de datos ")[tongue] + compact(datatype)
            return _DATATYPES[datatype.value][tongue] if datatype.value in _DATATYPES else other
        case "NodeKind":
            kinds = named(terms[0]).split("Or")
            return (" or ", " o ")[tongue].join(_KINDS[kind][tongue] for kind in kinds)
        case "In":
            listed = [shown(term) for term in terms[:10]]
            return ", ".join(listed) + (" …" if len(terms) > 10 else "")
        case "LanguageIn":
            return ", ".join(shown(term, quoted=False) for term in terms)
        case _:
            return shown(terms[0], quoted=component_name(constraint) == "Pattern")
