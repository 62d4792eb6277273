"""Answers and manifests as the two versions of the API write them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kg_service.linked_data.reconciliation import BATCH, QUALIFIERS, Candidate
from kg_service.linked_data.reconciliation.vocabulary import DEFAULT_TYPES, Named, Vocabulary
from kg_service.rdf import ENTITY, ONTOLOGY, PREFIXES, Literal, NamedNode, Term

#: Size of a preview in pixels.
WIDTH, HEIGHT = 400, 220
_NAMES = {
    "en": "SSE knowledge graph",
    "es": "Grafo de conocimiento de la economía social y solidaria",
    "fr": "Graphe de connaissances de l’économie sociale et solidaire",
}
_XSD = PREFIXES["xsd"]
_INTEGERS = {_XSD + name for name in ("integer", "int", "long", "short", "nonNegativeInteger", "positiveInteger")}
_NUMBERS = {_XSD + name for name in ("decimal", "double", "float")}
_MOMENT = re.compile(
    r"\d{4}-(1[0-2]|0[1-9])-(3[01]|0[1-9]|[12]\d)T(2[0-3]|[01]\d):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-][0-2]\d:[0-5]\d)?"
)
_RIGHT_TO_LEFT = ("ar", "fa", "he", "ur", "yi", "ps", "dv", "ckb")
_LIMIT_NAMES = {"en": "Limit", "es": "Límite", "fr": "Limite"}
_LIMIT_HELP = {
    "en": "Most values of one property for a row (0: all)",
    "es": "Número máximo de valores de una propiedad por fila (0: todos)",
    "fr": "Nombre maximal de valeurs d’une propriété par ligne (0 : toutes)",
}


def manifest_0_2(root: str, vocabulary: Vocabulary, language: str, version: str) -> dict[str, Any]:
    """The manifest of version 0.2; `root` is the address of its endpoint."""

    def suggest(kind: str) -> dict[str, str]:
        return {
            "service_url": root,
            "service_path": f"/suggest/{kind}",
            "flyout_service_url": root,
            "flyout_service_path": f"/flyout/{kind}?id=${{id}}",
        }

    return {
        "versions": ["0.2"],
        "name": _NAMES[language],
        "identifierSpace": ENTITY,
        "schemaSpace": ONTOLOGY,
        "documentation": f"{root}/features",
        "serviceVersion": version,
        "view": {"url": f"{root}/view?id={{{{id}}}}"},
        "feature_view": {"url": f"{root}/features#{{{{id}}}}"},
        "defaultTypes": _default_types(vocabulary, language),
        "batchSize": BATCH,
        "preview": {"url": f"{root}/preview?id={{{{id}}}}", "width": WIDTH, "height": HEIGHT},
        "suggest": {kind: suggest(kind) for kind in ("entity", "property", "type")},
        "extend": {
            "propose_properties": {"service_url": root, "service_path": "/extend/propose"},
            "property_settings": [
                {
                    "name": "limit",
                    "label": _LIMIT_NAMES[language],
                    "type": "number",
                    "default": 0,
                    "help_text": _LIMIT_HELP[language],
                }
            ],
        },
    }


def manifest_1_0(root: str, vocabulary: Vocabulary, language: str, version: str) -> dict[str, Any]:
    """The manifest of 1.0-draft; `root` is the address of version 0.2."""
    setting = {"id": "limit", "name": _LIMIT_NAMES[language], "type": "number", "default": 0}
    return {
        "versions": ["1.0-draft"],
        "name": _NAMES[language],
        "lang": language,
        "documentation": f"{root}/features",
        "serviceVersion": version,
        "view": {"url": f"{root}/view{{?id}}"},
        "featureView": {"url": f"{root}/features#{{+id}}"},
        "defaultTypes": _default_types(vocabulary, language),
        "batchSize": BATCH,
        "standardizedScore": True,
        "preview": {"width": WIDTH, "height": HEIGHT},
        "suggest": {"entity": True, "property": True, "type": True},
        "extend": {
            "proposeProperties": True,
            "propertySettings": [setting | {"helpText": _LIMIT_HELP[language]}],
        },
    }


def _default_types(vocabulary: Vocabulary, language: str) -> list[dict[str, Any]]:
    named = (vocabulary.type_named(iri, (language,)) for iri in DEFAULT_TYPES)
    return [{"id": each.iri, "name": each.name} for each in named if each]


def results_0_2(found: Mapping[str, Sequence[Candidate]]) -> dict[str, Any]:
    return {name: {"result": [_candidate(each) for each in candidates]} for name, candidates in found.items()}


def results_1_0(found: Iterable[Sequence[Candidate]]) -> dict[str, Any]:
    return {"results": [{"candidates": [_candidate_1_0(each) for each in candidates]} for candidates in found]}


def _candidate(each: Candidate) -> dict[str, Any]:
    about = {
        "id": each.iri,
        "name": each.name,
        "score": each.score,
        "match": each.is_match,
        "type": [{"id": iri, "name": name or iri} for iri, name in each.types],
        "features": [{"id": id_, "name": feature_name(id_), "value": value} for id_, value in each.features.items()],
    }
    return about | ({"description": each.description} if each.description else {})


def _candidate_1_0(each: Candidate) -> dict[str, Any]:
    return _candidate(each) | language_members(each.language)


def language_members(language: str) -> dict[str, str]:
    """The text-processing language and direction of what is in that language."""
    if not language:
        return {}
    return {"lang": language} | ({"dir": "rtl"} if language.split("-")[0] in _RIGHT_TO_LEFT else {})


def feature_name(identifier: str) -> str:
    """A feature's name for people."""
    kind, _, property_ = identifier.partition(":")
    names = {"name": "likeness of the names", "type": "class", "id": "identifier"}
    return f"likeness of the values of {property_}" if kind == "property" else names[kind]


def suggested(found: Iterable[Named], vocabulary: Vocabulary | None = None) -> dict[str, Any]:
    """Classes or properties as suggestions; those of properties name the qualifiers that conditions may have."""
    qualifiers = [{"id": id_, "name": name} for id_, name in QUALIFIERS.items()]

    def one(each: Named) -> dict[str, Any]:
        about: dict[str, Any] = {"id": each.iri, "name": each.name}
        if each.description:
            about["description"] = each.description
        if vocabulary is None:
            return about | {"matchQualifiers": qualifiers}
        above = (vocabulary.type_named(iri, ()) for iri in each.broader)
        broader = [{"id": named.iri, "name": named.name} for named in above if named]
        return about | ({"broader": broader} if broader else {})

    return {"result": [one(each) for each in found]}


def value(term: Term, name: str, language: str = "") -> dict[str, Any]:
    """A value of a data extension: a thing, a number, a moment, or words."""
    if isinstance(term, NamedNode):
        return {"id": term.value, "name": name or term.value}
    if not isinstance(term, Literal):
        return {"str": str(term)}
    kind = term.datatype.value
    if kind in _INTEGERS and re.fullmatch(r"[+-]?\d+", term.value):
        return {"int": int(term.value)}
    if kind in _NUMBERS and re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", term.value):
        number = float(term.value)
        return {"float": number} if math.isfinite(number) else {"str": term.value}
    if kind == _XSD + "dateTime" and re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?", term.value
    ):
        return {"date": term.value}
    if kind == _XSD + "date" and re.fullmatch(r"\d{4}-\d\d-\d\d", term.value):
        return {"date": f"{term.value}T00:00:00"}
    return {"str": term.value}
