"""How well a thing fits a query: pure arithmetic over names and values.

    score = 100 × name × (0.85 + 0.05 × type + 0.10 × properties − 0.15 × wrong type − 0.45 × wrong properties)

`name` is how alike the names are, from 0 to 1. `type` and `properties` are the shares of what was asked for that is
so, `wrong …` the shares that are otherwise; what the graph does not tell counts as neither. So an exact name alone
gives 85, with the right class and every property 100, and with a wrong country 40. An identifier gives 100.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence

from kg_service.languages import place
from kg_service.linked_data.reconciliation import Condition, Facts, Given, Wanted
from kg_service.rdf import ONTOLOGY, PREF_LABEL, PREFIXES
from kg_service.search.names import alike, name_words, site
from kg_service.search.words import words

#: What a name of each kind counts for; others count as labels.
NAME_KINDS = {PREFIXES["skos"] + "altLabel": 0.98, ONTOLOGY + "acronym": 0.95}
#: From this on two names are taken for one, and a thing for a match that leads the next by so much.
ALIKE, CERTAIN, LEAD = 0.85, 80.0, 8.0
#: From this down values are other values.
UNLIKE = 0.5


def name_feature(name: str, facts: Facts) -> float:
    """How alike the best of a thing's names is."""
    return max((NAME_KINDS.get(kind, 1.0) * alike(name, text) for kind, _, text in facts.names), default=0.0)


def condition_feature(condition: Condition, values: Sequence[Given]) -> float | None:
    """How far the values of a thing fulfil a condition, from 0 to 1; None when the graph does not tell."""
    if not values:
        return None
    each = [max(_fits(given, value, condition.qualifier) for value in values) for given in condition.values]
    if condition.quantifier == "none":
        return 1 - max(each)
    return min(each) if condition.quantifier == "all" else max(each)


def _fits(given: Given, value: Given, qualifier: str) -> float:
    if given.iri is not None and value.iri is not None:
        # What has no name here is somebody's page: it may be written in several ways.
        return float(given.iri == value.iri or (not value.text and site(given.iri) == site(value.iri)))
    if qualifier == "ExactMatch":
        return float(name_words(given.text) == name_words(value.text) or given.text in (value.iri, value.text))
    if qualifier == "WildcardMatch" or "*" in given.text:
        pattern = " ".join(w.folded for w in words(given.text.replace("*", "ⵣ"))).replace("ⵣ", "*")
        return float(fnmatch.fnmatchcase(" ".join(name_words(value.text)), pattern or "*"))
    if given.text == value.text or (value.iri is not None and given.text == value.iri):
        return 1.0
    if "://" in given.text + value.text or given.text.lower().startswith("www."):
        return float(site(given.text) == site(value.text))
    if re.fullmatch(r"-?[\d.:T-]+", given.text):  # a number or date; 2019 fits 2019-04
        return float(re.match(rf"{re.escape(given.text)}(?![\d.])", value.text) is not None)
    near = alike(given.text, value.text)
    return near if near > UNLIKE else 0.0


def features(wanted: Wanted, iri: str, facts: Facts) -> dict[str, float]:
    """All that is known of how a thing fits: `name` or `id`, `type`, and `property:…` for each condition."""
    found: dict[str, float] = {}
    if wanted.iri == iri:
        found["id"] = 1.0
    elif wanted.name:
        found["name"] = name_feature(wanted.name, facts)
    if wanted.types:
        has = [each in facts.types for each in wanted.types]
        found["type"] = float(all(has) if wanted.needs_all_types else any(has))
    for condition in wanted.conditions:
        value = condition_feature(condition, facts.values.get(condition.property, ()))
        if value is not None:
            found[f"property:{condition.property.removeprefix(ONTOLOGY)}"] = value
    return {name: round(value, 4) for name, value in found.items()}


def score(wanted: Wanted, found: Mapping[str, float]) -> float:
    """The score of a thing from its features; see the head of this file."""
    told = [value for name, value in found.items() if name.startswith("property:")]
    asked_for = len({condition.property for condition in wanted.conditions}) or 1
    base = found.get("name", 1.0)
    of_type = found.get("type", 0.0)
    sure = 0.85 + 0.05 * of_type + 0.10 * sum(told) / asked_for
    if "type" in found:
        sure -= 0.15 * (1 - of_type)
    sure -= 0.45 * sum(1 - value for value in told) / asked_for
    if "id" in found:
        sure = 1.0
    elif "name" not in found:  # conditions alone tell less than a name
        sure -= 0.25 + 0.6 * (asked_for - len(told)) / asked_for
    return round(100 * base * max(0.0, min(1.0, sure)), 2)


def fulfils(wanted: Wanted, found: Mapping[str, float]) -> bool:
    """Whether a thing has all that was required."""
    return all(
        found.get(f"property:{each.property.removeprefix(ONTOLOGY)}", 0.0) > UNLIKE
        for each in wanted.conditions
        if each.is_required
    )


def chosen_name(facts: Facts, languages: Sequence[str]) -> tuple[str, str]:
    """The label of a thing in the first of the languages that it has one in, and that language."""
    labels = [(language, text) for kind, language, text in facts.names if kind not in NAME_KINDS]
    named = labels or [(language, text) for _, language, text in facts.names]
    language, text = min(named, key=lambda each: (place(each[0], languages), each), default=("", ""))
    return text, language


assert PREF_LABEL.value not in NAME_KINDS
