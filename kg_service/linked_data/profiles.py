"""Which representation of a thing a client gets: media type and profile (W3C Content Negotiation by Profile).

By `Accept` and `Accept-Profile`, or by `_mediatype` and `_profile` in the address, which win. `alt` is the list of all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from kg_service.errors import NotAcceptable, wrong_parameter
from kg_service.linked_data.addresses import Addresses
from kg_service.rdf import (
    JSON_LD,
    N_QUADS,
    N_TRIPLES,
    PREFIXES,
    RDF_TYPE,
    RDF_XML,
    TRIG,
    TURTLE,
    Format,
    Literal,
    NamedNode,
    Quad,
)
from kg_service.sparql.protocol import negotiate

HTML = Format("html", ("text/html", "application/xhtml+xml"), ("html",))
#: The same bytes as JSON-LD, for who knows only JSON.
JSON = Format("json", ("application/json",), ("json",))
_JSON_LD = Format("json-ld", ("application/ld+json",), ("jsonld",), rdf=JSON_LD.rdf)
#: Without its other names, because browsers take application/xml before anything of ours.
_RDF_XML = Format("rdf-xml", ("application/rdf+xml",), ("rdf", "owl", "xml"), rdf=RDF_XML.rdf)
_TRIPLES = (TURTLE, _JSON_LD, N_TRIPLES, _RDF_XML, JSON)

_ALTR, _DCTERMS, _PROF = "http://www.w3.org/ns/dx/connegp/altr#", PREFIXES["dcterms"], "http://www.w3.org/ns/dx/prof/"


@dataclass(frozen=True, slots=True)
class Profile:
    """A way of saying what is known of a thing: its token, its IRI, and the formats that it can be written in."""

    token: str
    iri: str
    formats: tuple[Format, ...]


#: Everything that is said of a thing, in both directions, with names and evidence.
FULL = Profile(
    "sse", "https://w3id.org/sse-kg/profile/sse", (TURTLE, _JSON_LD, N_TRIPLES, _RDF_XML, TRIG, N_QUADS, JSON, HTML)
)
#: The same in the words of schema.org, as far as it has them.
SCHEMA = Profile("schema", "https://schema.org/", _TRIPLES)
#: Names and types alone.
MINIMAL = Profile("minimal", "https://w3id.org/sse-kg/profile/minimal", _TRIPLES)
#: The list of representations.
ALTERNATES = Profile("alt", "http://www.w3.org/ns/dx/connegp/altr", (*_TRIPLES, HTML))
PROFILES = (FULL, SCHEMA, MINIMAL)
_KNOWN = (*PROFILES, ALTERNATES)

MEDIA_TYPES = tuple(dict.fromkeys(f.media_types[0] for f in FULL.formats))
#: The formats of data by the ending of an address.
ENDINGS = {ending: how for how in FULL.formats if how is not HTML for ending in how.endings}
_QUALITY = re.compile(r"\s*q\s*=\s*([0-9.]+)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Representation:
    """A profile in a format; `is_named` when the address chose it, and not the headers."""

    profile: Profile
    format: Format
    is_named: bool = False

    @property
    def media_type(self) -> str:
        return self.format.media_type


def chosen(
    *,
    accept: str,
    accept_profile: str | None,
    profile: str | None = None,
    media_type: str | None = None,
    among: Sequence[Format] = FULL.formats,
) -> Representation:
    """The representation for a request: its two headers, and the values of `_profile` and `_mediatype`.

    Only formats of `among` are given. WrongParameter for unknown values in the address; NotAcceptable, with the list,
    where the headers allow nothing.
    """
    wanted = _profile_named(profile) if profile is not None else None
    how = _format_named(media_type) if media_type is not None else None
    candidates = [wanted] if wanted else list(_acceptable(accept_profile))
    if not candidates:
        raise NotAcceptable(
            f'no profile of "{(accept_profile or "")[:200]}" is known; known: '
            + ", ".join(f"<{each.iri}> ({each.token})" for each in _KNOWN)
        )
    for candidate in candidates:
        formats = [each for each in candidate.formats if each in among]
        if how is not None:
            found = how if how in formats else None
        else:
            found = negotiate(accept, formats) if formats else None
        if found is not None:
            return Representation(candidate, found, is_named=bool(wanted or how))
    can = dict.fromkeys(f.media_types[0] for each in candidates for f in each.formats if f in among)
    asked = media_type or accept
    raise NotAcceptable(f'profile {candidates[0].token} cannot be written as "{asked[:200]}"; known: {", ".join(can)}')


def _profile_named(name: str) -> Profile:
    """A profile by its token, or by its IRI with or without angle brackets; the first known one of a list."""
    for each in name.split(","):
        bare = each.partition(";")[0].strip().removeprefix("<").removesuffix(">")
        for known in _KNOWN:
            if bare in (known.token, known.iri, known.iri.rstrip("/")):
                return known
    raise wrong_parameter("_profile", name[:200], f"one of: {', '.join(each.token for each in _KNOWN)}, or its IRI")


def _format_named(name: str) -> Format:
    """A format by its media type, or by its usual ending."""
    bare = name.partition(";")[0].strip().lower()
    for known in FULL.formats:
        if bare in (*known.media_types, *known.endings):
            return known
    raise wrong_parameter("_mediatype", name[:200], f"one of: {', '.join(MEDIA_TYPES)}")


def _acceptable(header: str | None) -> Iterator[Profile]:
    """The known profiles that an Accept-Profile header allows, best first; all of them without one."""
    if header is None or not header.strip():
        yield FULL
        return
    wished: list[tuple[float, int, Profile]] = []
    refused: set[str] = set()
    rest = 0.0
    for place, part in enumerate(header.split(",")):
        name, *parameters = part.split(";")
        bare, quality = name.strip().removeprefix("<").removesuffix(">").strip('"'), 1.0
        for parameter in parameters:
            if match := _QUALITY.fullmatch(parameter):
                quality = _number(match[1])
        if bare == "*":
            rest = quality
            continue
        for known in _KNOWN:
            if bare in (known.token, known.iri, known.iri.rstrip("/")):
                refused.add(known.token)
                if quality > 0:
                    wished.append((-quality, place, known))
    yield from (each for _, _, each in sorted(wished, key=lambda each: each[:2]))
    if rest > 0:
        yield from (each for each in PROFILES if each.token not in refused)


def _number(text: str) -> float:
    try:
        return min(1.0, float(text))
    except ValueError:
        return 0.0


def alternates(addresses: Addresses, iri: str) -> Iterator[tuple[Representation, str]]:
    """Every representation of a thing with its address, the default first."""
    for profile in PROFILES:
        for how in profile.formats:
            if how is HTML:
                yield Representation(profile, how), addresses.page(iri)
            else:
                more = {} if profile is FULL else {"_profile": profile.token}
                yield Representation(profile, how), addresses.data(iri, how.endings[0], **more)


def links(addresses: Addresses, iri: str, profile: Profile, relation: str = "describes") -> str:
    """The Link header of a representation: its profile, the other representations, and the tokens of profiles.

    A document `describes` its thing; a thing that answers itself, and a page, are `describedby` the data. Servers in
    front take headers of 4 KB at most: addresses are relative, and of the lesser profiles two formats are named.
    """
    other = iri if relation == "describes" else addresses.data(iri)
    parts = [f'<{profile.iri}>; rel="profile"', f'<{_ascii(other)}>; rel="{relation}"']
    rel = "canonical"
    for each, address in alternates(addresses, iri):
        if each.format in (JSON, N_QUADS):  # beside JSON-LD and TriG
            continue
        if each.profile is not FULL and each.format not in (TURTLE, _JSON_LD):
            continue
        parts.append(
            f'<{_relative(address)}>; rel="{rel}"; type="{each.format.media_types[0]}"; formats="{each.profile.iri}"'
        )
        rel = "alternate"
    every = _relative(addresses.data(iri, _profile=ALTERNATES.token))
    parts.append(f'<{every}>; rel="alternate"; formats="{ALTERNATES.iri}"')
    parts += [f'<{_PROF}Profile>; rel="type"; token="{each.token}"; anchor=<{each.iri}>' for each in _KNOWN]
    return ", ".join(parts)


def _relative(address: str) -> str:
    """The address from its path on; on this server it leads to the same (RFC 3986, section 4.2)."""
    return urlsplit(address)._replace(scheme="", netloc="").geturl()


def listed(addresses: Addresses, iri: str) -> list[Quad]:
    """The representations of a thing as RDF (the Alternate Representations Data Model)."""
    thing = NamedNode(iri)
    said: list[tuple[NamedNode, str, NamedNode | Literal]] = []
    for number, (each, address) in enumerate(alternates(addresses, iri)):
        here = NamedNode(address)
        said.append((thing, _ALTR + "hasRepresentation", here))
        if number == 0:
            said.append((thing, _ALTR + "hasDefaultRepresentation", here))
        said += [
            (here, RDF_TYPE.value, NamedNode(_ALTR + "Representation")),
            (here, _DCTERMS + "format", Literal(each.format.media_types[0])),
            (here, _DCTERMS + "conformsTo", NamedNode(each.profile.iri)),
        ]
    said += tokens(PROFILES)
    return [Quad(subject, NamedNode(predicate), value) for subject, predicate, value in said]


def tokens(known: Iterable[Profile]) -> list[tuple[NamedNode, str, NamedNode | Literal]]:
    """What the profiles are called."""
    said: list[tuple[NamedNode, str, NamedNode | Literal]] = []
    for each in known:
        said.append((NamedNode(each.iri), RDF_TYPE.value, NamedNode(_PROF + "Profile")))
        said.append((NamedNode(each.iri), _PROF + "hasToken", Literal(each.token)))
    return said


def _ascii(iri: str) -> str:
    """The IRI as a URI, for a header."""
    return quote(iri, safe="/%:@!$&'()*+,;=~-._?#[]")
