"""What people type in cells, as terms: dates, countries, languages, entries of lists, things by their names."""

from __future__ import annotations

import datetime
import html
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from kg_service.entities import slug
from kg_service.ontology import Ontology
from kg_service.rdf import (
    ENTITY,
    ONTOLOGY,
    PREF_LABEL,
    PREFIXES,
    RDF_TYPE,
    Literal,
    NamedNode,
    Quad,
    Term,
    entity,
    sse,
)
from kg_service.tables.words import Unusable

_XSD = PREFIXES["xsd"]
_COUNTRIES = Path(__file__).parent / "countries.tsv"
_MONTHS = {
    name: number
    for names in (
        "january february march april may june july august september october november december",
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "jan feb mar apr - jun jul aug sep oct nov dec",
        "- - - - - - - - sept - - -",
        "ene - - abr - - - ago - - - dic",
        "janv févr mars avr - juin juil août - - - déc",
    )
    for number, name in enumerate(names.split(), 1)
}
_LANGUAGES = {
    "en": "english inglés anglais",
    "es": "spanish español castellano espagnol",
    "fr": "french francés français",
    "pt": "portuguese portugués português portugais",
}
#: Addresses of e-mail and numbers of telephones, as people write them in texts.
EMAIL = re.compile(r"[\w.+-]{1,64}\s?(?:@|\[at\]|\(at\))\s?[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}", re.IGNORECASE)
PHONE = re.compile(
    r"(?:(?<![\w.,/-])(?:\+|00)\d{1,3}[\s().-]?(?:\(?\d{1,4}\)?[\s.-]?){2,6}\d{2,4}(?![\w/]))"
    r"|(?:\b(?:tel|telephone|phone|fax|mobile|teléfono|tél|téléphone)\b\.?\s?:?\s?[\d+(][\d\s().+-]{5,18}\d)"
    r"|(?:(?<![\w.,/-])0\d{1,4}[\s.-]\d{2,4}(?:[\s.-]\d{2,4}){1,4}(?![\w/]))",
    re.IGNORECASE,
)
#: Characters that are kept of a long text.
_LONGEST = 2_000
_SMALL_WORDS = {
    "en": frozenset("the of and to in is for with that by are our we on from their which".split()),
    "es": frozenset("el los las del que y una para por con su sus se es al como más en la".split()),
    "fr": frozenset("le les des du et une pour par dans est sur aux qui au avec son ses nous".split()),
    "pt": frozenset("o os da do das dos e uma para com por não em na no ao pela são".split()),
    "de": frozenset("der die das und den von zu mit für ist im ein eine auf dem des wir".split()),
    "it": frozenset("il gli della di che e una per con dei nel delle è al dell’ del".split()),
}
_EVERY_SMALL_WORD = frozenset().union(*_SMALL_WORDS.values())
_WEB = re.compile(r"https?://[^\s<>\"{}|\\^`]+", re.IGNORECASE)
_HOST = re.compile(r"(?:www\.)[a-z0-9.-]+\.[a-z]{2,}(?:/[^\s<>\"{}|\\^`]*)?", re.IGNORECASE)
_OWN = re.compile(r"[a-z][a-z0-9-]*/[^\s<>\"{}|\\^`]+")


def folded(text: str) -> str:
    """A name without case, accents and double spaces, so that different spellings of it are equal."""
    plain = text.replace("&", " and ").replace("’", "'")
    if not plain.isascii():
        plain = "".join(c for c in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(c))
    return " ".join(plain.casefold().split())


@dataclass(frozen=True, slots=True)
class Country:
    """A country by its code, with its names by language."""

    code: str
    names: Mapping[str, str]


@lru_cache(1)
def countries() -> dict[str, Country]:
    """Countries by their codes (ISO 3166-1, of two and three letters), names in three languages, and other names."""
    found: dict[str, Country] = {}
    for line in _COUNTRIES.read_text("utf-8").splitlines():
        if line.startswith(("#", "code")):
            continue
        code, alpha3, en, es, fr, *others = line.split("\t")
        country = Country(code, {"en": en, "es": es, "fr": fr})
        for name in (code, alpha3, en, es, fr, *(each for other in others for each in other.split(";"))):
            found.setdefault(folded(name), country)
    return found


def date(text: str) -> Literal:
    """A year, a month or a day, in the orders and languages in which people write them; day before month."""
    text = text.strip()
    if re.fullmatch(r"\d{4}", text):
        return _typed(text, "gYear")
    if match := re.fullmatch(r"(\d{4})[-/.](\d{1,2})", text):
        return _month(match[1], match[2])
    if match := re.fullmatch(r"(\d{1,2})[/.-](\d{4})", text):
        return _month(match[2], match[1])
    if match := re.fullmatch(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ]00:00(?::00)?)?", text):
        return _day(match[1], match[2], match[3])
    if match := re.fullmatch(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})", text):
        if int(match[2]) > 12:
            raise Unusable("day-first")
        return _day(match[3], match[2], match[1])
    words = re.sub(r"\b(de|del|of|the|le|du)\b|(?<=\d)(st|nd|rd|th|er|º|°)\b|[.,]", " ", text.casefold()).split()
    months = [_MONTHS[word] for word in words if word in _MONTHS]
    numbers = [word for word in words if re.fullmatch("[0-9]{1,4}", word)]
    if len(months) == 1 and len(numbers) + 1 == len(words):
        if len(numbers) == 1 and len(numbers[0]) == 4:
            return _month(numbers[0], str(months[0]))
        if len(numbers) == 2 and len(numbers[1]) == 4:
            return _day(numbers[1], str(months[0]), numbers[0])
    raise Unusable("date")


def _month(year: str, month: str) -> Literal:
    if not 1 <= int(month) <= 12:
        raise Unusable("month")
    return _typed(f"{year}-{int(month):02}", "gYearMonth")


def _day(year: str, month: str, day: str) -> Literal:
    try:
        return _typed(datetime.date(int(year), int(month), int(day)).isoformat(), "date")
    except ValueError:
        raise Unusable("day") from None


def _typed(text: str, name: str) -> Literal:
    return Literal(text, datatype=NamedNode(_XSD + name))


def language(text: str) -> Literal:
    """The tag of a language: from a tag, or its name in English, Spanish, French or its own."""
    for tag, names in _LANGUAGES.items():
        if folded(text) in {folded(name) for name in names.split()}:
            return Literal(tag)
    if re.fullmatch(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*", text):
        return Literal(re.split("[-_]", text)[0].lower())
    raise Unusable("language")


def integer(text: str) -> Literal:
    """A whole number; thousands may be parted by spaces."""
    plain = re.sub(r"(?<=\d)[\s\u00a0\u202f](?=\d{3}\b)", "", text)
    if not re.fullmatch(r"[+-]?\d{1,18}", plain):
        raise Unusable("integer")
    return _typed(plain, "integer")


def decimal(text: str) -> Literal:
    """A number; thousands may be parted by spaces."""
    plain = re.sub(r"(?<=\d)[\s\u00a0\u202f](?=\d{3}\b)", "", text)
    if not re.fullmatch(r"[+-]?\d{1,15}(\.\d{1,9})?", plain):
        raise Unusable("decimal")
    return _typed(plain, "decimal")


def coordinate(text: str, most: int) -> Literal:
    """Degrees of latitude (most 90) or longitude (most 180)."""
    match = re.fullmatch(r"([+-]?\d{1,3}(?:\.\d{1,30})?)", text)
    if match is None or abs(float(match[1])) > most:
        raise Unusable("degrees", most=most)
    return _typed(f"{float(match[1]):.6f}".rstrip("0").rstrip("."), "decimal")


def prose(text: str) -> tuple[str, str]:
    """A long text as plain words, and the tag of its language where that is plain, else English.

    Markup and entities are read; addresses of e-mail and numbers of telephones are left out, for they are people's.
    """
    plain = re.sub(r"<[^<>]{0,500}>", " ", html.unescape(html.unescape(text)))
    for pattern in (EMAIL, PHONE):
        plain = pattern.sub("[…]", plain)
    words = " ".join("".join(c if c.isprintable() else " " for c in plain).split())
    if len(words) > _LONGEST:
        words = words[:_LONGEST].rsplit(" ", 1)[0] + " […]"
    return words, tongue(words)


#: Languages by the first word of the Unicode names of their letters.
_SCRIPTS = {
    "ARABIC": "ar", "ARMENIAN": "hy", "BENGALI": "bn", "CJK": "zh", "CYRILLIC": "ru", "DEVANAGARI": "hi",
    "ETHIOPIC": "am", "GEORGIAN": "ka", "GREEK": "el", "GUJARATI": "gu", "GURMUKHI": "pa", "HANGUL": "ko",
    "HEBREW": "he", "HIRAGANA": "ja", "KANNADA": "kn", "KATAKANA": "ja", "KHMER": "km", "LAO": "lo",
    "MALAYALAM": "ml", "MYANMAR": "my", "SINHALA": "si", "TAMIL": "ta", "TELUGU": "te", "THAI": "th",
}  # fmt: skip
#: Letters that tell a language from the one that is written most in its script.
_LETTERS_OF = (
    (re.compile("[\u3040-\u30ff]"), "ja"),
    (re.compile("[іїєґ]", re.IGNORECASE), "uk"),
    (re.compile("[پچژگ]"), "fa"),
)


def tongue(text: str) -> str:
    """The language of which a text has most of the small words; English where it has few.

    Of a text in another script than the Latin one, it is the language that is written most in that script.
    """
    for character in text:
        if not character.isascii() and character.isalpha():
            script = unicodedata.name(character, "").partition(" ")[0].partition("-")[0]
            if script in _SCRIPTS:
                return next((tag for letters, tag in _LETTERS_OF if letters.search(text)), _SCRIPTS[script])
    words = text.casefold().split()
    common = [word for word in words if word in _EVERY_SMALL_WORD]
    if not common:
        return "en"
    counts = {tag: sum(word in small for word in common) for tag, small in _SMALL_WORDS.items()}
    best = max(counts, key=lambda tag: counts[tag])
    return best if counts[best] > 0 and counts[best] >= 0.04 * len(words) else "en"


def address(text: str) -> Literal:
    """A web address."""
    if _WEB.fullmatch(text):
        return _typed(text, "anyURI")
    if _HOST.fullmatch(text):
        return _typed(f"https://{text}", "anyURI")
    raise Unusable("address")


@dataclass(slots=True)
class Known:
    """What cells can name: entries of closed lists by class, things by type and name, countries by code."""

    ontology: Ontology
    things: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    #: Countries by their codes, and a name for each thing.
    places: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    _lists: dict[str, dict[str, str]] = field(default_factory=dict)

    def tell(self, type: str, iri: str, name: str) -> None:
        """Remembers a thing of the graph."""
        found = self.things.setdefault(type, {}).setdefault(folded(name), [])
        if iri not in found:
            found.append(iri)
        self.names.setdefault(iri, name)

    def entries(self, name: str) -> list[str]:
        """The entries of a closed list, as they can be typed."""
        return sorted({iri.rpartition("/")[2] for iri in self._listed(name).values()})

    def _listed(self, name: str) -> dict[str, str]:
        if name not in self._lists:
            wanted = NamedNode(ONTOLOGY + name)
            members = {q.subject for q in self.ontology.quads if q.predicate == RDF_TYPE and q.object == wanted}
            self._lists[name] = {
                folded(word): concept.iri
                for scheme in self.ontology.schemes
                for concept in scheme.concepts
                if NamedNode(concept.iri) in members
                for word in (concept.iri, concept.iri.rpartition("/")[2], *concept.labels.values())
            }
        return self._lists[name]

    def entry(self, name: str, text: str) -> NamedNode:
        """The entry of a closed list, by its name in any language or the end of its address."""
        listed = self._listed(name)
        found = listed.get(folded(text)) or listed.get(folded(text).replace(" ", "-"))
        if found is None:
            raise Unusable("entry", entries=", ".join(self.entries(name)))
        return NamedNode(found)

    def thing(self, types: Iterable[str], text: str) -> NamedNode:
        """A thing by its address, the end of it, or its name."""
        if re.match(r"https?://", text):
            try:
                return NamedNode(text)
            except ValueError:
                raise Unusable("spaces") from None
        types = tuple(types)
        if _OWN.fullmatch(text) and text.partition("/")[0] in types:
            return NamedNode(ENTITY + text)
        every = [iri for type in types for iri in self.things.get(type, {}).get(folded(text), ())]
        if len(every) > 1:
            raise Unusable("several", addresses=", ".join(every[:5]))
        if not every:
            raise Unusable("thing", types=" / ".join(types), example=f"{types[0]}/its-name")
        return NamedNode(every[0])

    def thing_or_new(self, types: Iterable[str], text: str) -> tuple[NamedNode, frozenset[Quad]]:
        """A thing by its address or name; one that is not known by its name is new, with what is to be said of it."""
        types = tuple(types)
        is_address = re.match(r"https?://", text) or _OWN.fullmatch(text)
        if is_address or any(self.things.get(type, {}).get(folded(text)) for type in types):
            return self.thing(types, text), frozenset()
        end = slug(text)[:100].strip("-")
        if not end:
            raise Unusable("key")
        made = entity(types[0], end)
        said: list[tuple[NamedNode, Term]] = [(RDF_TYPE, sse("Organisation")), (RDF_TYPE, sse("Actor"))]
        said.append((PREF_LABEL, Literal(" ".join(text.split()), language="en")))
        return made, frozenset(Quad(made, property, value) for property, value in said)

    def name(self, thing: NamedNode, text: str) -> str:
        """What a thing is called: as it was typed, or, when that was its address, by a name that the graph has."""
        if not re.match(r"https?://|[a-z][a-z0-9-]*/", text):
            return text
        return self.names.get(thing.value, thing.value.rpartition("/")[2].replace("-", " "))

    def country(self, text: str) -> tuple[NamedNode, frozenset[Quad]]:
        """The place that a country is, and what is to be said of it when the graph does not know it."""
        found = countries().get(folded(text))
        if found is None:
            raise Unusable("country")
        if found.code in self.places:
            return NamedNode(self.places[found.code]), frozenset()
        place = entity("place", slug(found.names["en"]))
        said: list[tuple[NamedNode, Term]] = [
            (RDF_TYPE, sse("Place")),
            (sse("placeKind"), entity("place-kind", "country")),
            (sse("countryCode"), Literal(found.code)),
        ]
        said += [(PREF_LABEL, Literal(name, language=tag)) for tag, name in found.names.items()]
        return place, frozenset(Quad(place, property, value) for property, value in said)
