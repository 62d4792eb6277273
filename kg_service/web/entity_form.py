"""What the form about one thing shows: its fields with what was typed or is known, and what is wrong with it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from kg_service.ontology import TONGUES
from kg_service.rdf import PREF_LABEL, Literal, NamedNode, Term
from kg_service.rulebook import compact
from kg_service.web.fields import Field, choice, thing_named
from kg_service.web.names import Names, Shown
from kg_service.web.validation import Found

#: Rows that are added to a field at once, and values of one property that a form takes.
_MORE, MOST = 3, 200


@dataclass(frozen=True, slots=True)
class Row:
    """One value on its way: what was typed, in which language, and whether it could be understood."""

    text: str
    language: str
    is_wrong: bool = False


@dataclass(frozen=True, slots=True)
class Filled:
    """A field with its rows; `locked` values are kept as they are, because the field cannot say them."""

    field: Field
    rows: tuple[Row, ...]
    locked: tuple[Shown, ...]
    results: tuple[Found, ...]

    @property
    def is_filled(self) -> bool:
        return bool(self.locked) or any(row.text for row in self.rows)

    @property
    def is_wrong(self) -> bool:
        return bool(self.results) or any(row.is_wrong for row in self.rows)

    @property
    def strays(self) -> tuple[str, ...]:
        """Values that are none of the options."""
        known = {each.iri for each in self.field.options}
        return tuple(row.text for row in self.rows if row.text and row.text not in known)

    def chooses(self, iri: str) -> bool:
        """Whether an option is among the values."""
        return any(row.text == iri for row in self.rows)


class Draft:
    """The values of a form, field by field: those of the graph, or those that were sent."""

    def __init__(self, fields: Sequence[Field], known: Mapping[str, Sequence[Term]]) -> None:
        self.fields = [each for each in fields if len(known.get(each.iri, ())) <= MOST]
        self.too_many = [each for each in fields if len(known.get(each.iri, ())) > MOST]
        self._locked: dict[str, list[Term]] = {}
        self._rows: dict[str, list[Row]] = {}
        for each in self.fields:
            values = sorted(known.get(each.iri, ()), key=_in_order)
            said = [(value, each.text(value)) for value in values]
            self._locked[each.iri] = [value for value, written in said if written is None]
            self._rows[each.iri] = [Row(*written) for _, written in said if written is not None]
        self._more: str | None = None

    def sent(self, pairs: Iterable[tuple[str, str]], more: str | None = None) -> None:
        """Takes what a form was filled in with; `more` is the field that wants more rows."""
        texts: dict[str, list[str]] = {}
        for name, value in pairs:
            texts.setdefault(name, []).append(value)
        self._more = more
        for each in self.fields:
            words = texts.get(each.id, [])
            languages = texts.get(f"{each.id}-lang", [])
            languages += [""] * (len(words) - len(languages))
            found = [
                Row(_plain(each, text), language.strip() if each.kind == "text" else "")
                for text, language in zip(words, languages, strict=False)
                if text.strip()
            ]
            self._rows[each.iri] = [
                Row(row.text, row.language, each.term(row.text, row.language) is None) for row in found[:MOST]
            ]

    def offer(self, iri: str, field: Field) -> None:
        """Fills a field in with a thing, where it has no value."""
        if not self._rows[field.iri]:
            self._rows[field.iri] = [Row(iri, "")]

    @property
    def is_understood(self) -> bool:
        """Whether every value means something in its field."""
        return not any(row.is_wrong for rows in self._rows.values() for row in rows)

    @property
    def wanted(self) -> dict[str, set[Term]]:
        """The values of each property as terms; what the form could not say stays among them."""
        found: dict[str, set[Term]] = {}
        for each in self.fields:
            terms = (each.term(row.text, row.language) for row in self._rows[each.iri])
            found[each.iri] = {*self._locked[each.iri], *(term for term in terms if term is not None)}
        return found

    def names(self) -> list[Literal]:
        """The names that it gives, the English one first."""
        found = [term for term in self.wanted.get(PREF_LABEL.value, ()) if isinstance(term, Literal)]
        return sorted(found, key=lambda each: (each.language != "en", str(each)))

    def digest(self, *more: str) -> str:
        """What is different for other values: whether what is to be made was tried out."""
        said = sorted(f"{iri} {term}" for iri, terms in self.wanted.items() for term in terms)
        return hashlib.sha256("\n".join([*said, *more]).encode("utf-8", "surrogatepass")).hexdigest()[:32]

    def filled(self, results: Iterable[tuple[str, Found]], names: Names) -> list[Filled]:
        """The fields as they are shown; `results` are what the shapes said, each with the path it is about."""
        told = list(results)
        return [
            Filled(
                each,
                tuple(_in_words(each, row, names) for row in self._shown_rows(each)),
                tuple(names.shown(term) for term in self._locked[each.iri]),
                tuple(found for path, found in told if path == compact(each.iri)),
            )
            for each in self.fields
        ]

    def _shown_rows(self, of: Field) -> list[Row]:
        """The rows with values, and empty ones: for each language, or one more, or several where that is wanted."""
        rows = list(self._rows[of.iri])
        if of.kind in ("choice", "boolean"):
            return rows
        if of.kind == "text" and of.is_once:
            have = [row.language for row in rows]
            rows.sort(key=lambda row: TONGUES.index(row.language) if row.language in TONGUES else len(TONGUES))
            return [*rows, *(Row("", tongue) for tongue in TONGUES if tongue not in have)]
        if not of.is_many:
            return rows or [Row("", "")]
        blank = _MORE if self._more == of.id else 1
        return rows + [Row("", _next_language(rows))] * blank


def _plain(of: Field, text: str) -> str:
    """What was typed; of a thing its address, where it names one."""
    thing = thing_named(text) if of.kind == "thing" else None
    return thing.value if thing else text.strip()


def _in_words(of: Field, row: Row, names: Names) -> Row:
    """A row for a thing with its name beside its address."""
    label = names.label(row.text) if of.kind == "thing" and row.text and not row.is_wrong else None
    return replace(row, text=choice(label[0], row.text)) if label else row


def _next_language(rows: Sequence[Row]) -> str:
    """The language that the next value is likely to be in: the first one that is not there yet."""
    have = {row.language for row in rows}
    return next((tongue for tongue in TONGUES if tongue not in have), TONGUES[0])


def _in_order(term: Term) -> tuple[int, str]:
    language = term.language if isinstance(term, Literal) else None
    return TONGUES.index(language) if language in TONGUES else len(TONGUES), str(term)


def best_class(types: Iterable[str], made: Mapping[str, int]) -> str | None:
    """The most particular of the types that has a form; `made` tells how many classes are above each that has one."""
    known = [each for each in types if each in made]
    return max(known, key=lambda each: (made[each], each)) if known else None


def report_by_path(found: Iterable[Found], thing: NamedNode) -> tuple[list[tuple[str, Found]], list[Found]]:
    """What the shapes said: of the thing itself by path, and everything else."""
    every = list(found)
    own = [(each.path, each) for each in every if each.focus.iri == thing.value and each.path]
    return own, [each for each in every if not (each.focus.iri == thing.value and each.path)]
