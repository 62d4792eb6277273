"""The questions in `queries/`: one SPARQL text per file, with a summary, runnable as it stands.

A file may have parameters, declared in its first lines:

    # param: theme iri:theme | The theme

The default is what the file itself says: the terms of `VALUES ?theme { … }`. To bind other values, this data block, and
nothing else, is written anew. A value never is text in the query: it is made a term by its kind, and the term writes
itself, escaped as the grammar wants; what cannot be such a term is refused. So there is nothing that a value could do
but be another value.

Kinds are iri (or iri:TYPES, which lets a slug stand for an IRI), string, integer, boolean, date and language. `many`
allows several values; `closed` allows only those that the file lists.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kg_service.errors import Malformed, NotFound
from kg_service.rdf import ENTITY, PREFIXES, Literal, NamedNode

_NAME = re.compile(r"[\w-]+(/[\w-]+)*")
_HEADER = re.compile(r"^#\s*(?P<key>[a-z]+):\s*(?P<value>.*\S)\s*$")
_PREFIX = re.compile(r"\bPREFIX\s+(?P<prefix>[\w-]*):\s*<(?P<iri>[^>]*)>", re.IGNORECASE)
#: What may hold anything: IRIs, strings, comments.
_OPAQUE = re.compile(r"<[^<>\s]*>|\"\"\".*?\"\"\"|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|#[^\n]*", re.DOTALL)
_TERM = re.compile(
    r"<(?P<iri>[^<>\s]*)>|\"(?P<text>(?:[^\"\\]|\\.)*)\"(?:@(?P<tag>[\w-]+))?"
    r"|(?P<prefix>[\w-]*):(?P<local>[\w.-]*)|(?P<word>\S+)"
)
_KINDS = ("iri", "string", "integer", "boolean", "date", "language")
_XSD = PREFIXES["xsd"]
Bound = NamedNode | Literal


@dataclass(frozen=True, slots=True)
class Variable:
    """A parameter of a question: the variable whose data block its values are written into."""

    name: str
    kind: str
    about: str
    default: tuple[Bound, ...]
    begins: tuple[str, ...] = ()
    is_many: bool = False
    is_closed: bool = False

    def terms(self, value: Any) -> list[Bound]:
        """What a value can mean: one term, or for a slug of several types one of each."""
        if self.kind == "iri":
            return [NamedNode(iri) for iri in self._iris(str(value))]
        if self.kind == "integer":
            return [Literal(int(value))]
        if self.kind == "boolean":
            return [Literal(bool(value))]
        return [Literal(str(value))]

    def _iris(self, text: str) -> list[str]:
        if ":" in text:
            return [text]
        begins = () if "/" in text and ENTITY in "".join(self.begins) else self.begins
        return [begin + text for begin in begins or (ENTITY,)]

    def short(self, term: Bound) -> str:
        """How a term can be sent."""
        if isinstance(term, NamedNode) and len(self.begins) == 1:
            return term.value.removeprefix(self.begins[0])
        return term.value


@dataclass(frozen=True, slots=True)
class Question:
    """A ready-made query: `name` is folder and file without ending, such as `events/dialogues-in-order`.

    `entity` is what the IRIs of the things in a list begin with.
    """

    name: str
    summary: str
    text: str
    entity: str = ""
    variables: tuple[Variable, ...] = ()
    examples: tuple[str, ...] = ()

    @property
    def form(self) -> str:
        """SELECT, ASK, CONSTRUCT or DESCRIBE."""
        found = re.search(r"\b(SELECT|ASK|CONSTRUCT|DESCRIBE)\b", _masked(self.text))
        return found[1] if found else "SELECT"

    def bound(self, values: Mapping[str, Sequence[Bound]]) -> str:
        """The text with other values in the data blocks of its variables; those not named keep the file's own."""
        places = [
            (start, end, values[name]) for name in values for start, end in _blocks(self.text, name) if values[name]
        ]
        text = self.text
        for start, end, terms in sorted(places, key=lambda place: -place[0]):
            text = f"{text[:start]} {' '.join(str(term) for term in terms)} {text[end:]}"
        return text


def paged(text: str, limit: int | None, offset: int) -> str:
    """The query for a part of the answer; a limit of its own still holds."""
    if limit is None and not offset:
        return text
    masked = _masked(text).rstrip()
    own = re.search(r"\bLIMIT\s+(\d+)$", masked)
    if own:
        left = max(0, int(own[1]) - offset)
        limit = left if limit is None else min(limit, left)
        text = text[: own.start()].rstrip()
    return f"{text.rstrip()}\n" + ("" if limit is None else f"LIMIT {limit:d}\n") + f"OFFSET {offset:d}\n"


def read(folder: Path, name: str) -> Question:
    """The question of that name; NotFound lists those of its folder, or the folders."""
    path = folder / f"{name}.rq"
    if not _NAME.fullmatch(name) or not path.is_file():
        known = names(folder)
        inside = [other for other in known if other.split("/")[0] == name.split("/")[0]]
        raise NotFound(f'unknown query "{name}"; known: {", ".join(inside or known)}')
    text = path.read_text(encoding="utf-8")
    heads = [match for line in text.splitlines() if (match := _HEADER.match(line))]
    header = {match["key"]: match["value"] for match in heads}
    if "summary" not in header:
        raise Malformed(f"{path}: its first lines lack “# summary: …”")
    variables = tuple(_variable(match["value"], text, path) for match in heads if match["key"] == "param")
    examples = tuple(each.strip() for each in header.get("example", "").split(",") if each.strip())
    return Question(name, header["summary"], text, header.get("entity", ""), variables, examples)


def names(folder: Path) -> list[str]:
    """The names of all questions, in order."""
    return sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.rq"))


def every(folder: Path) -> list[Question]:
    """All questions, in order of name."""
    return [read(folder, name) for name in names(folder)]


def _variable(line: str, text: str, path: Path) -> Variable:
    declared, _, about = line.partition(" | ")
    name, kind, *words = [*declared.split(), ""][:2] + declared.split()[2:]
    kind, _, types = kind.partition(":")
    blocks = _blocks(text, name)
    if kind not in _KINDS or not about or set(words) - {"many", "closed"} or not blocks:
        raise Malformed(f"{path}: “# param: {line}” has no known kind, no description, or no VALUES ?{name} {{ … }}")
    prefixes = PREFIXES | {match["prefix"]: match["iri"] for match in _PREFIX.finditer(text)}
    start, end = blocks[0]
    default = tuple(_term(match, prefixes, path) for match in _TERM.finditer(text[start:end]))
    begins = tuple(prefixes.get(each) or f"{ENTITY}{each}/" for each in types.split(",") if each)
    return Variable(name, kind, about, default, begins, "many" in words, "closed" in words)


def _term(match: re.Match[str], prefixes: Mapping[str, str], path: Path) -> Bound:
    if match["iri"] is not None:
        return NamedNode(match["iri"])
    if match["text"] is not None:
        return Literal(match["text"], language=match["tag"]) if match["tag"] else Literal(match["text"])
    if match["prefix"] in prefixes and match["word"] is None:
        return NamedNode(prefixes[match["prefix"]] + match["local"])
    kind = "boolean" if match["word"] in ("true", "false") else "integer"
    if match["word"] is None or not re.fullmatch(r"true|false|-?\d+", match["word"]):
        raise Malformed(f"{path}: “{match[0]}” in a data block is no IRI, string, whole number, true or false")
    return Literal(match["word"], datatype=NamedNode(_XSD + kind))


def _blocks(text: str, name: str) -> list[tuple[int, int]]:
    """Where the terms of each `VALUES ?name { … }` begin and end."""
    pattern = re.compile(rf"\bVALUES\s+\?{re.escape(name)}\s*\{{([^{{}}]*)\}}", re.IGNORECASE)
    return [match.span(1) for match in pattern.finditer(_masked(text))]


def _masked(text: str) -> str:
    """The text with IRIs, strings and comments blotted out, in their places."""
    return _OPAQUE.sub(lambda match: "".join("\n" if c == "\n" else "~" for c in match[0]), text)
