"""What a query text asks for, as far as sending it on needs to know: its form, and where its FROM clauses stand."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kg_service.errors import Malformed, NotAcceptable
from kg_service.rdf import BOOLEAN_FORMATS, GRAPH_FORMATS, TABLE_FORMATS, Format, format_named
from kg_service.store import Query

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
