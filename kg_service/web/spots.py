"""Where the statements of an RDF text stand: each with the line of its value.

For texts that have been parsed already: nothing is checked here, and what is not understood is passed over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import urljoin
from xml.parsers.expat import ExpatError, ParserCreate

from kg_service.rdf import JSON_LD, PREFIXES, RDF_TYPE, RDF_XML, Format

_RDF = PREFIXES["rdf"]


@dataclass(frozen=True, slots=True)
class Spot:
    """A statement with its line, from 1. Subject and object are IRIs, names of blank nodes (`_:…`), or texts."""

    subject: str
    property: str
    object: str
    line: int
    #: Where its subject begins.
    begins: int


def spots(text: str, how: Format, *, base: str, context: Mapping[str, Any]) -> list[Spot]:
    """The statements of a text in its order. `context` is the one of JSON-LD that names none of its own."""
    if how is JSON_LD:
        return list(_Json(text, base, context).spots())
    if how is RDF_XML:
        return _Xml(text, base).spots
    return list(_Turtle(text, base).spots())


_TOKEN = re.compile(
    r'''(?P<skip>\s+|\#[^\n]*)
    |(?P<iri><[^<>\s]*>)
    |(?P<text>"""(?:[^"\\]|\\.|"(?!""))*"""|\'\'\'(?:[^'\\]|\\.|'(?!''))*\'\'\'|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<tag>@[A-Za-z]+(?:-[A-Za-z0-9]+)*)
    |(?P<mark>\^\^|[.;,\[\](){}])
    |(?P<word>(?:[^\s<>"'()\[\]{};,\\\#^@.]|\\.|\.(?=[^\s<>"'()\[\]{};,\#^@.]))+)
    |(?P<other>.)''',
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)
_CONTROL = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda m: chr(int(m[1] or m[2], 16)) if m[1] or m[2] else _CONTROL.get(m[3], m[3]), text)


@dataclass(slots=True)
class _Frame:
    """What is being said: of which subject, by which property, and which part comes next (0 the subject)."""

    subject: str = ""
    property: str = ""
    part: int = 0
    line: int = 1


class _Turtle:
    """Turtle and those beside it: TriG, N-Triples, N-Quads."""

    def __init__(self, text: str, base: str) -> None:
        self._text, self._base = text, base
        self._prefixes: dict[str, str] = {}
        self._names = (f"_:{number}" for number in count())

    def _tokens(self) -> Iterator[tuple[str, str, int]]:
        line = 1
        for match in _TOKEN.finditer(self._text):
            kind = match.lastgroup or "other"
            if kind not in ("skip", "other"):
                yield kind, match[0], line
            line += match[0].count("\n")

    def spots(self) -> Iterator[Spot]:
        tokens = self._tokens()
        frames = [_Frame()]
        for kind, token, line in tokens:
            frame = frames[-1]
            if frame.part == 0 and token.lower() in ("@prefix", "prefix"):
                name, iri = next(tokens, ("", "", 0))[1], next(tokens, ("", "", 0))[1]
                self._prefixes[name.removesuffix(":")] = self._resolved(iri)
            elif frame.part == 0 and token.lower() in ("@base", "base"):
                self._base = self._resolved(next(tokens, ("", "", 0))[1])
            elif token == "^^":
                next(tokens, None)
            elif kind == "mark":
                yield from self._marked(frames, token, line)
            elif kind != "tag":
                yield from self._said(frame, self._term(kind, token, frame.part), line)

    def _marked(self, frames: list[_Frame], mark: str, line: int) -> Iterator[Spot]:
        frame = frames[-1]
        if mark == ".":
            frame.part = 0
        elif mark == ";":
            frame.part = 1
        elif mark in "[(":
            name = next(self._names)
            yield from self._said(frame, name, line)
            frames.append(_Frame(name, f"{_RDF}first", 1 if mark == "[" else 2, line))
        elif mark == "{":
            frames.append(_Frame())
        elif mark in "])}" and len(frames) > 1:
            frames.pop()
            if mark == "}":
                frames[-1].part = 0

    @staticmethod
    def _said(frame: _Frame, term: str, line: int) -> Iterator[Spot]:
        if frame.part == 0:
            frame.subject, frame.part, frame.line = term, 1, line
        elif frame.part == 1:
            frame.property, frame.part = term, 2
        else:
            yield Spot(frame.subject, frame.property, term, line, frame.line)

    def _term(self, kind: str, token: str, part: int) -> str:
        if kind == "iri":
            return self._resolved(token)
        if kind == "text":
            return _unescaped(token[3:-3] if token[:3] in ('"""', "'''") else token[1:-1])
        if token == "a" and part == 1:
            return RDF_TYPE.value
        prefix, colon, local = token.partition(":")
        return self._prefixes.get(prefix, f"{prefix}:") + _unescaped(local) if colon else token

    def _resolved(self, iri: str) -> str:
        return _resolved(self._base, _unescaped(iri[1:-1]))


_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def _resolved(base: str, iri: str) -> str:
    if _ABSOLUTE.match(iri):  # left as it is: joining would take an empty fragment away
        return iri
    try:
        return urljoin(base, iri)
    except ValueError:
        return iri


_JSON_TOKEN = re.compile(r'(?P<skip>[\s:,]+)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<mark>[{}\[\]])|(?P<word>[^\s:,{}\[\]"]+)')


@dataclass(slots=True)
class _Object:
    """A JSON object on its way, or a list, whose values belong to the key before it."""

    line: int
    is_list: bool = False
    key: str | None = None
    name: str = ""
    is_literal: bool = False
    said: list[tuple[str, str, int]] = field(default_factory=list)


class _Json:
    def __init__(self, text: str, base: str, context: Mapping[str, Any]) -> None:
        self._text, self._base = text, base
        self._terms = dict(_terms(_own_context(text) or context))
        self._names = (f"_:{number}" for number in count())

    def spots(self) -> Iterator[Spot]:
        stack: list[_Object] = []
        line = 1
        for match in _JSON_TOKEN.finditer(self._text):
            kind, token = match.lastgroup, match[0]
            if kind == "mark" and token in "{[":
                stack.append(_Object(line, is_list=token == "["))
            elif kind == "mark" and stack:
                done = stack.pop()
                if done.is_list:
                    if stack and not stack[-1].is_list:
                        stack[-1].key = None
                else:
                    yield from self._emitted(done)
                    self._value(stack, done.name if done.is_literal else done.name or next(self._names), done.line)
            elif kind in ("text", "word"):
                self._value(stack, _plain(token), line)
            line += token.count("\n")

    def _value(self, stack: list[_Object], value: str, line: int) -> None:
        """A string or number, or the name of an object that has ended: a key, or the value of one."""
        holder = next((each for each in reversed(stack) if not each.is_list), None)
        if holder is None:
            return
        if stack[-1] is holder and holder.key is None:
            holder.key = value
            return
        key = self._terms.get(holder.key or "", holder.key or "")
        if key == "@id":
            holder.name = self._iri(value)
        elif key == "@value":
            holder.name, holder.is_literal, holder.line = value, True, line
        elif key and key != "@context":
            holder.said.append((RDF_TYPE.value if key == "@type" else self._iri(key), value, line))
        if stack[-1] is holder:
            holder.key = None

    def _emitted(self, done: _Object) -> Iterator[Spot]:
        if done.is_literal:
            return
        subject = done.name = done.name or next(self._names)
        for property, value, line in done.said:
            yield Spot(subject, property, self._iri(value) if _is_compact(value) else value, line, done.line)

    def _iri(self, name: str) -> str:
        name = self._terms.get(name, name)
        prefix, colon, local = name.partition(":")
        if colon and not local.startswith("//"):
            return self._terms[prefix] + local if prefix in self._terms else name
        return name if colon or name.startswith("@") else _resolved(self._base, name)


def _is_compact(value: str) -> bool:
    return bool(re.fullmatch(r"[A-Za-z][\w-]*:[^\s]+", value))


def _plain(token: str) -> str:
    try:
        read = json.loads(token)
    except ValueError:
        return token
    return read if isinstance(read, str) else token


def _own_context(text: str) -> Mapping[str, Any] | None:
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return None
    context = read.get("@context") if isinstance(read, dict) else None
    return context if isinstance(context, dict) else None


def _terms(context: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What the terms of a context mean, with its prefixes put in."""
    plain = {
        term: meaning.get("@id", "") if isinstance(meaning, dict) else meaning
        for term, meaning in context.items()
        if isinstance(meaning, dict | str)
    }
    for term, meaning in plain.items():
        prefix, colon, local = str(meaning).partition(":")
        if meaning:
            yield term, f"{plain[prefix]}{local}" if colon and prefix in plain else str(meaning)


class _Xml:
    """RDF/XML: elements are by turns things and properties."""

    def __init__(self, text: str, base: str) -> None:
        self.spots: list[Spot] = []
        self._base = base
        self._names = (f"_:{number}" for number in count())
        self._open: list[tuple[str, str, int, bool]] = []  # subject, property, line, whether a thing comes next
        self._since = 0  # statements before the property that was opened last
        self._words = ""
        self._parser = ParserCreate(namespace_separator="")
        self._parser.StartElementHandler, self._parser.EndElementHandler = self._start, self._end
        self._parser.CharacterDataHandler = self._data
        with suppress(ExpatError):
            self._parser.Parse(text.encode(), True)

    def _data(self, words: str) -> None:
        self._words += words

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        line, self._words = self._parser.CurrentLineNumber, ""
        if name == f"{_RDF}RDF":
            self._base = attributes.get("http://www.w3.org/XML/1998/namespacebase", self._base)
            self._open.append(("", "", line, True))
            return
        subject, property, _, is_thing = self._open[-1] if self._open else ("", "", 0, True)
        if not is_thing:
            self._since = len(self.spots)
            resource = attributes.get(f"{_RDF}resource")
            if resource is not None:
                self.spots.append(Spot(subject, name, _resolved(self._base, resource), line, self._began(subject)))
            nested = attributes.get(f"{_RDF}parseType") == "Resource"
            if nested:
                blank = next(self._names)
                self.spots.append(Spot(subject, name, blank, line, self._began(subject)))
                subject = blank
            self._open.append((subject, "" if nested else name, line, not nested))
            return
        thing = self._named(attributes)
        if property:
            self.spots.append(Spot(subject, property, thing, line, self._began(subject)))
        if name != f"{_RDF}Description":
            self.spots.append(Spot(thing, RDF_TYPE.value, name, line, line))
        for key, value in attributes.items():
            if not key.startswith((_RDF, "http://www.w3.org/XML/")):
                self.spots.append(Spot(thing, key, value, line, line))
        self._open.append((thing, "", line, False))

    def _named(self, attributes: Mapping[str, str]) -> str:
        if (about := attributes.get(f"{_RDF}about")) is not None:
            return _resolved(self._base, about)
        if (short := attributes.get(f"{_RDF}ID")) is not None:
            return _resolved(self._base, f"#{short}")
        name = attributes.get(f"{_RDF}nodeID")
        return f"_:{name}" if name else next(self._names)

    def _began(self, subject: str) -> int:
        return next((line for thing, _, line, _ in self._open if thing == subject), 1)

    def _end(self, name: str) -> None:
        subject, property, line, _ = self._open.pop()
        if property and len(self.spots) == self._since:
            self.spots.append(Spot(subject, property, self._words, line, self._began(subject)))
        self._words = ""
