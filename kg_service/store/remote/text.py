"""What a query text asks for, as far as sending it on needs to know: its form, and where its FROM clauses stand."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pyoxigraph import Literal

from kg_service.errors import Malformed, NotAcceptable
from kg_service.rdf import BOOLEAN_FORMATS, GRAPH_FORMATS, TABLE_FORMATS, Format, format_named
from kg_service.store import Query
from kg_service.store.remote.graphs import REVISION

_TERMINALS = re.compile(
    r"""
    (?P<space>  [\x20\t\r\n]+ | \#[^\r\n]* )
  | (?P<iri>    <[^<>"{}|^`\\\x00-\x20]*> )
  | (?P<string> \"\"\"(?:\"{0,2}(?:[^"\\]|\\.))*\"\"\" | '''(?:'{0,2}(?:[^'\\]|\\.))*'''
              | "(?:[^"\\\r\n]|\\.)*" | '(?:[^'\\\r\n]|\\.)*' )
  | (?P<name>   [?$]\w+ | (?:[^\W\d_][\w.-]*)?:(?:(?:[\w:%-]|\\.)(?:[\w:.%-]|\\.)*)? )
  | (?P<word>   [@]?[^\W\d_][\w-]* )
  | (?P<other>  . )
    """,
    re.VERBOSE | re.DOTALL,
)
FORMS = {"SELECT": TABLE_FORMATS, "ASK": BOOLEAN_FORMATS, "CONSTRUCT": GRAPH_FORMATS, "DESCRIBE": GRAPH_FORMATS}


@dataclass(frozen=True, slots=True)
class Text:
    """A query's form (the grammar's first word after BASE and PREFIX) and where its FROM clauses stand."""

    text: str
    form: str
    default_clauses: tuple[tuple[int, int], ...]
    named_clauses: tuple[tuple[int, int], ...]
    #: It begins with an absolute BASE, before which ours would mean nothing; Virtuoso takes one only.
    has_base: bool

    @classmethod
    def of(cls, text: str) -> Text:
        found = [m for m in _TERMINALS.finditer(text) if m.lastgroup != "space"]
        words = [m.group().upper() if m.lastgroup == "word" else "" for m in found]
        form = next((word for word in words if word and word not in ("BASE", "PREFIX")), "")
        if form not in FORMS:
            raise Malformed(f'a query begins with SELECT, ASK, CONSTRUCT or DESCRIBE, not with "{form or text[:40]}"')
        default: list[tuple[int, int]] = []
        named: list[tuple[int, int]] = []
        for here, word in enumerate(words):
            if word == "FROM":
                is_named = words[here + 1 : here + 2] == ["NAMED"]
                last = found[min(here + 1 + is_named, len(found) - 1)]
                (named if is_named else default).append((found[here].start(), last.end()))
        has_base = words[0] == "BASE" and re.match(r"<[A-Za-z][\w+.-]*:", found[1].group()) is not None
        return cls(text, form, tuple(default), tuple(named), has_base)

    def without_dataset(self) -> str:
        """The text with its FROM clauses as spaces: what the request says must win, and positions must stay."""
        text = self.text
        for start, end in (*self.default_clauses, *self.named_clauses):
            text = text[:start] + re.sub(r"[^\r\n]", " ", text[start:end]) + text[end:]
        return text


def asked_format(query: Query, form: str) -> Format:
    """The format to write the answer in; NotAcceptable when the client takes none of those of this form."""
    among = FORMS[form]
    wanted = {TABLE_FORMATS: query.table, GRAPH_FORMATS: query.graph}[among] if form != "ASK" else query.boolean
    if wanted is None:
        raise NotAcceptable(f"the answer to {form} can be written as: {', '.join(f.media_types[0] for f in among)}")
    return format_named(wanted, among)


def based(text: str, base: str | None) -> str:
    """The query with a base for its relative IRIs, unless it begins with an absolute one of its own."""
    return text if base is None or Text.of(text).has_base else f"BASE <{base}> {text}"


def hiding(text: str) -> str:
    """The query with a filter around each GRAPH clause of a variable, so that it does not find graphs of ours."""
    found = [m for m in _TERMINALS.finditer(text) if m.lastgroup != "space"]
    insertions: list[tuple[int, str]] = []
    waiting: list[tuple[int, str]] = []  # the depth of a clause's braces, and its variable
    depth = 0
    for here, token in enumerate(found):
        if token.group() == "{":
            depth += 1
            before = [each.group() for each in found[max(0, here - 2) : here]]
            if len(before) == 2 and before[0].upper() == "GRAPH" and before[1][0] in "?$":
                waiting.append((depth, before[1]))
                insertions.append((found[here - 2].start(), "{ "))
        elif token.group() == "}":
            if waiting and waiting[-1][0] == depth:
                variable = waiting.pop()[1]
                hidden = f"STRSTARTS(STR({variable}), {Literal(REVISION.value)})"
                insertions.append((token.end(), f" FILTER(!{hidden}) }}"))
            depth -= 1
    for place, inserted in sorted(insertions, key=lambda each: each[0], reverse=True):
        text = text[:place] + inserted + text[place:]
    return text


def as_rows(text: str) -> str:
    """An ASK with variables and without modifiers as a SELECT of up to one row; other queries as they are."""
    found = [m for m in _TERMINALS.finditer(text) if m.lastgroup != "space"]
    ask = next((m for m in found if m.lastgroup == "word" and m.group().upper() not in ("BASE", "PREFIX")), None)
    if ask is None or ask.group().upper() != "ASK" or found[-1].group() != "}":
        return text
    if not any(m.lastgroup == "name" and m.group()[0] in "?$" for m in found):
        return text
    return f"{text[: ask.start()]}SELECT * {text[ask.end() : found[-1].end()]} LIMIT 1"
