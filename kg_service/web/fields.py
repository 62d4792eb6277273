"""The fields of a form about a thing of a class: what the shapes ask of it, property by property."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation

from kg_service.languages import best_text
from kg_service.ontology import Ontology
from kg_service.rdf import ENTITY, ONTOLOGY, PREF_LABEL, PREFIXES, RDF_TYPE, SHAPE, Literal, NamedNode, Term
from kg_service.rulebook import Rule, Rulebook, ShapeText, compact
from kg_service.web.names import Names, Shown

_XSD, _RDF = PREFIXES["xsd"], PREFIXES["rdf"]
#: Classes whose things are made of quotations, not by hand.
_MADE = ("Claim", "Quotation", "EncodingBlock")
#: Shapes of things that tie others together.
_TIES = "Record"
_GENERAL = tuple(f"{SHAPE}{name}" for name in ("General-", "Ordered-", "Labelled-altLabel"))
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_PRECISION = (
    (re.compile(r"-?\d{4,}"), "gYear"),
    (re.compile(r"\d{4}-\d\d"), "gYearMonth"),
    (re.compile(r"\d{4}-\d\d-\d\d"), "date"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?"), "dateTime"),
)
_WEB = re.compile(r"https?://[^\s<>\"{}|\\^`]+", re.IGNORECASE)
_OWN = re.compile(r"[a-z][a-z0-9-]*/[^\s/<>\"{}|\\^`]+")


@dataclass(frozen=True, slots=True)
class Field:
    """One property of a form, by its IRI.

    `kind` is text (in a language), words (without one), date, integer, decimal, boolean, address, choice (of
    `options`) or thing (of `classes`, of any where there are none). `need` is must, should or may.
    """

    iri: str
    name: Shown
    help: Shown | None
    kind: str
    need: str = "may"
    is_many: bool = True
    is_once: bool = False
    is_long: bool = False
    #: Whether things of every class have it.
    is_general: bool = False
    classes: tuple[str, ...] = ()
    options: tuple[Shown, ...] = ()

    @property
    def id(self) -> str:
        """What it is called in a form: readable, and known from no other part of the form."""
        return "p-" + compact(self.iri).replace(":", "-")

    @property
    def list(self) -> str:
        """What the list of the things of its classes is called in a form."""
        return "list-" + "-".join(each.rpartition("#")[2].rpartition("/")[2] for each in self.classes)

    def term(self, text: str, language: str = "") -> Term | None:
        """What a text means in this field; None when it means nothing there."""
        text = text.strip()
        match self.kind:
            case "text":
                return Literal(text, language=language) if _LANGUAGE.fullmatch(language) else None
            case "words":
                return Literal(text)
            case "date":
                return next((_typed(text, name) for pattern, name in _PRECISION if pattern.fullmatch(text)), None)
            case "integer":
                return _typed(text, "integer") if re.fullmatch(r"[+-]?\d{1,18}", text) else None
            case "decimal":
                return _decimal(text)
            case "boolean":
                return _typed(text, "boolean") if text in ("true", "false") else None
            case "address":
                return _typed(text, "anyURI") if _WEB.fullmatch(text) else None
            case _:
                return thing_named(text)

    def text(self, term: Term) -> tuple[str, str] | None:
        """How a term is written in this field, with its language; None for one that the field cannot say."""
        if isinstance(term, NamedNode):
            written = (term.value, "")
        elif isinstance(term, Literal):
            written = (term.value, term.language or "")
        else:
            return None
        return written if self.term(*written) == term else None


def _typed(text: str, name: str) -> Literal:
    return Literal(text, datatype=NamedNode(_XSD + name))


def _decimal(text: str) -> Literal | None:
    try:
        return _typed(text, "decimal") if Decimal(text).is_finite() and "e" not in text.lower() else None
    except InvalidOperation:
        return None


#: What stands between the name and the address of a thing in a list.
DASH = " — "


def thing_named(text: str) -> NamedNode | None:
    """The thing that an IRI, its end (`place/bamako`), or a choice from a list (`Bamako — place/bamako`) names."""
    text = text.rpartition(DASH)[2].strip()
    if _OWN.fullmatch(text):
        text = ENTITY + text
    return NamedNode(text) if re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+", text) else None


def choice(name: str, iri: str) -> str:
    """A thing as a list offers it; `thing_named` understands it."""
    return f"{name.replace(DASH, ' - ')}{DASH}{iri.removeprefix(ENTITY)}"


@dataclass(frozen=True, slots=True)
class FormClass:
    """A class that things can be made of: where their IRIs begin, and what is `given` of every one of them."""

    iri: str
    name: Shown
    definition: Shown | None
    begin: str
    is_tie: bool
    given: tuple[tuple[NamedNode, NamedNode], ...] = ()


def is_made(iri: str, rules: Rulebook, ontology: Ontology) -> bool:
    """Whether there is a form for the things of a class."""
    return iri.removeprefix(ONTOLOGY) not in _MADE and _address_rule(iri, rules, ontology) is not None


def _address_rule(iri: str, rules: Rulebook, ontology: Ontology) -> Rule | None:
    """The rule on the addresses of a class's things."""
    for above in _above(iri, ontology):
        for shape in rules.of_class(above):
            if shape.iri == f"{SHAPE}{above.removeprefix(ONTOLOGY)}-iri" and shape.rules:
                return shape.rules[0]
    return None


class Forms:
    """The forms that the shapes ask for, in the reader's language."""

    def __init__(self, rules: Rulebook, names: Names) -> None:
        self._rules, self._names, self._ontology = rules, names, names.ontology
        concepts = {each.iri: each.labels for scheme in self._ontology.schemes for each in scheme.concepts}
        self._concepts = {iri: self._words(labels) for iri, labels in concepts.items()}
        #: The entries of closed lists by class.
        self._entries: dict[str, list[str]] = defaultdict(list)
        for quad in self._ontology.quads:
            thing, kind = quad.subject, quad.object
            if not (isinstance(thing, NamedNode) and isinstance(kind, NamedNode) and thing.value in concepts):
                continue
            if quad.predicate == RDF_TYPE:
                self._entries[kind.value].append(thing.value)

    def classes(self) -> list[FormClass]:
        """The classes that have a form, by name; those that tie things together last."""
        found = [self.form_class(each.iri) for each in self._ontology.of_kind("class") if self._is_made(each.iri)]
        return sorted(found, key=lambda each: (each.is_tie, each.name.text.casefold()))

    def _is_made(self, iri: str) -> bool:
        return is_made(iri, self._rules, self._ontology)

    def form_class(self, iri: str) -> FormClass:
        """One of them, whether or not there is a form for it."""
        rule = _address_rule(iri, self._rules, self._ontology)
        written = re.search(re.escape(ENTITY) + r"([a-z-]+)/", (rule.messages if rule else {}).get("en", ""))
        kind = written[1] if written else re.sub(r"(?<!^)(?=[A-Z])", "-", iri.removeprefix(ONTOLOGY)).lower()
        name = self._names.property(iri)
        definitions = self._ontology.terms[iri].definitions if iri in self._ontology.terms else {}
        shapes = self._shapes(iri)
        given = [(RDF_TYPE, NamedNode(each)) for each in _above(iri, self._ontology) if each.startswith(ONTOLOGY)]
        given += [
            (NamedNode(rule.properties[0]), value)
            for shape in shapes
            for rule in shape.rules
            if len(rule.properties) == 1 and rule.path == compact(rule.properties[0])
            for value in rule.asked("hasValue")
            if isinstance(value, NamedNode)
        ]
        return FormClass(
            iri,
            name,
            self._words(definitions),
            f"{ENTITY}{kind}/",
            any(shape.name == _TIES for shape in shapes),
            tuple(dict.fromkeys(given)),
        )

    def _shapes(self, iri: str) -> list[ShapeText]:
        """The shapes that apply to the instances of a class: its own first, the general ones last."""
        found = {shape.iri: shape for above in _above(iri, self._ontology) for shape in self._rules.of_class(above)}
        own = iri.removeprefix(ONTOLOGY)
        return sorted(found.values(), key=lambda each: (not each.name.startswith(own), each.name != "Period"))

    def fields(self, iri: str) -> list[Field]:
        """What can be said of a thing of a class: names first, then as the shapes have it."""
        rules: dict[str, list[Rule]] = {}
        general = [each for each in self._rules.shapes if any(kind == "targetSubjectsOf" for kind, _ in each.targets)]
        every = [rule for shape in self._shapes(iri) for rule in shape.rules]
        every += [rule for shape in general for rule in shape.rules if self._is_general(rule)]
        for rule in every:
            if len(rule.properties) == 1 and rule.path == compact(rule.properties[0]):
                rules.setdefault(rule.properties[0], []).append(rule)
        found = [made for property, each in rules.items() if (made := self._field(property, each))]
        return sorted(found, key=lambda each: (each.iri != PREF_LABEL.value, {"must": 0}.get(each.need, 1)))

    def _is_general(self, rule: Rule) -> bool:
        term = self._ontology.terms.get(rule.properties[0]) if rule.properties else None
        return rule.iri.startswith(f"{SHAPE}General-") and term is not None and not term.domain

    def _field(self, property: str, rules: Sequence[Rule]) -> Field | None:
        if property == RDF_TYPE.value:
            return None
        kinds = [rule for rule in rules if rule.severity == "Violation" and not rule.has_query]
        kinds = [rule for rule in kinds if rule.asks or rule.either]
        if not kinds or any(rule.asked("hasValue") for rule in rules):
            return None
        first = kinds[0]
        datatypes = {each.value for rule in kinds for each in rule.asked("datatype") if isinstance(each, NamedNode)}
        classes = tuple(
            dict.fromkeys(
                [c.value for rule in kinds for c in rule.asked("class") if isinstance(c, NamedNode)]
                + [c for rule in kinds for c in rule.classes]
            )
        )
        options = [value for rule in kinds for value in rule.asked("in")] or self._listed(classes)
        made = Field(
            property,
            self._words(first.names) or self._names.property(property),
            self._words(first.descriptions),
            _kind(property, kinds, datatypes, has_options=bool(options), is_of_things=self._is_of_things(property)),
            need=_need(rules),
            is_many=not any(_number(rule.asked("maxCount")) == 1 for rule in kinds),
            is_once=any(rule.asked("uniqueLang") for rule in kinds),
            is_long=property.rpartition("#")[2]
            in ("definition", "description", "text", "purpose", "note", "rationale"),
            classes=classes,
            is_general=all(rule.iri.startswith(_GENERAL) for rule in kinds),
        )
        return replace(made, options=tuple(map(self._option, options))) if options else made

    def _is_of_things(self, property: str) -> bool:
        term = self._ontology.terms.get(property)
        return term is not None and term.kind == "object-property"

    def _listed(self, classes: Iterable[str]) -> list[Term]:
        """The concepts of the closed lists among classes."""
        found = {each for name in classes for each in self._entries.get(name, ())}
        return [
            NamedNode(each) for each in sorted(found, key=lambda each: self._option(NamedNode(each)).text.casefold())
        ]

    def _option(self, value: Term) -> Shown:
        """A value that can be chosen, in words."""
        shown = self._names.shown(value)
        words = self._concepts.get(shown.iri or "")
        return replace(shown, text=words.text, language=words.language) if words else shown

    def _words(self, texts: Mapping[str, str]) -> Shown | None:
        """A text in the reader's language, else in English, else any."""
        found = best_text(texts, (self._names.catalogue.language,))
        return Shown(*found) if found else None


def _above(iri: str, ontology: Ontology) -> Iterator[str]:
    """A class and those above it, nearest first."""
    waiting, seen = [iri], dict[str, None]()
    while waiting:
        each = waiting.pop(0)
        if each not in seen:
            seen[each] = None
            waiting += ontology.terms[each].above if each in ontology.terms else ()
    return iter(seen)


def _kind(property: str, kinds: Iterable[Rule], datatypes: set[str], *, has_options: bool, is_of_things: bool) -> str:
    if has_options:
        return "choice"
    either = {each.removeprefix(f"{SHAPE}value-") for rule in kinds for each in rule.either}
    if either & {"date", "gYear", "gYearMonth", "dateTime"} or datatypes & {_XSD + "date", _XSD + "dateTime"}:
        return "date"
    for name, kind in (("integer", "integer"), ("decimal", "decimal"), ("boolean", "boolean"), ("anyURI", "address")):
        if _XSD + name in datatypes or name in either:
            return kind
    if f"{_RDF}langString" in datatypes or property == PREF_LABEL.value:
        return "text"
    return "thing" if is_of_things or any(rule.asked("class") or rule.classes for rule in kinds) else "words"


def _need(rules: Iterable[Rule]) -> str:
    least = {rule.severity for rule in rules if _number(rule.asked("minCount")) >= 1}
    return "must" if "Violation" in least else "should" if least else "may"


def _number(values: Sequence[Term]) -> int:
    return int(values[0].value) if values and isinstance(values[0], Literal) and values[0].value.isdecimal() else 0
