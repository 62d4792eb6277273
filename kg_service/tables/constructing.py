"""The query of a mapping over many rows at once, and which triples are of which row.

A CONSTRUCT query tells of its triples no row. So where a mapping is plain, its WHERE is asked as SELECT over hundreds
of rows, and its template is filled with each solution; else it is run row by row, which takes thirty times as long.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice

from pyoxigraph import BlankNode, NamedNode, Quad, QuerySolutions, QueryTriples, Store

from kg_service.errors import Malformed
from kg_service.rdf import Term

#: A mapping sees its rows alone.
_EMPTY = Store()
_WHERE = re.compile(r"\bWHERE\s*\{", re.IGNORECASE)
_CONSTRUCT = re.compile(r"\bCONSTRUCT\s*\{([^{}]*)\}\s*WHERE\s*\{", re.IGNORECASE)
#: What looks at several rows together, or at none: such a mapping is run row by row.
_TOGETHER = re.compile(
    r"\b(?:SELECT\s|(?:GROUP|ORDER)\s+BY\b|HAVING\s*\(|(?:LIMIT|OFFSET)\s+\d|BNODE\s*\(|GRAPH\s)", re.IGNORECASE
)
_COMMENT = re.compile(r"^\s*#.*$", re.MULTILINE)
_VARIABLE = re.compile(r"[?$](\w+)")
_HOLE = "urn:x-kg-variable:"
#: Solutions of one query.
_AT_ONCE = 400

Solutions = list[dict[str, Term]]
#: A place in a template: a term, or the name of a variable.
Place = Term | str


def made(name: str, text: str, rows: Mapping[int, Solutions]) -> dict[int, frozenset[Quad]]:
    """What each row says by the query `text`, in the default graph; Malformed when that is no CONSTRUCT query."""
    patterns = _plain(text)
    if patterns is None:
        return {number: frozenset(_alone(name, text, solutions)) for number, solutions in rows.items()}
    found: dict[int, set[Quad]] = {number: set() for number in rows}
    waiting = (each for solutions in rows.values() for each in solutions)
    while some := list(islice(waiting, _AT_ONCE)):
        _fill(patterns, _selected(name, text, patterns, some), found)
    return {number: frozenset(quads) for number, quads in found.items()}


def _alone(name: str, text: str, solutions: Solutions) -> Iterator[Quad]:
    found = _asked(name, bound(text, solutions))
    if not isinstance(found, QueryTriples):
        raise Malformed(f"{name}: a mapping is a CONSTRUCT query")
    return (Quad(each.subject, each.predicate, each.object) for each in found)


def bound(text: str, solutions: Iterable[Mapping[str, Term]]) -> str:
    """The query with these solutions at the beginning of its WHERE."""
    rows = list(solutions)
    names = list(dict.fromkeys(name for each in rows for name in each))
    lines = " ".join(f"({' '.join(str(each[n]) if n in each else 'UNDEF' for n in names)})" for each in rows)
    data = f"VALUES ({' '.join(f'?{name}' for name in names)}) {{ {lines} }}"
    return _WHERE.sub(lambda match: f"{match[0]} {data}", text, count=1)


def _asked(name: str, text: str) -> object:
    try:
        return _EMPTY.query(text)
    except SyntaxError as error:
        raise Malformed(f"{name}: the mapping is no SPARQL query: {error.msg or error}") from None


@lru_cache(64)
def _plain(text: str) -> tuple[tuple[Place, Place, Place], ...] | None:
    """The template of a query with a name for each variable; None where it has to be run row by row."""
    match, code = _CONSTRUCT.search(text), _COMMENT.sub("", text)
    if match is None or _TOGETHER.search(code) or len(_WHERE.findall(text)) != 1:
        return None
    names = sorted(set(_VARIABLE.findall(match[1])))
    holes = {name: NamedNode(_HOLE + name) for name in names}
    before = text[: match.end()]
    try:
        found = _EMPTY.query(f"{bound(before, [holes])} }}")
    except SyntaxError:
        return None
    if not isinstance(found, QueryTriples):
        return None
    triples = [(each.subject, each.predicate, each.object) for each in found]
    if any(isinstance(term, BlankNode) for triple in triples for term in triple):
        return None
    return tuple((_place(s), _place(p), _place(o)) for s, p, o in triples)


def _place(term: Term) -> Place:
    is_hole = isinstance(term, NamedNode) and term.value.startswith(_HOLE)
    return term.value.removeprefix(_HOLE) if is_hole and isinstance(term, NamedNode) else term


def _selected(
    name: str, text: str, patterns: Iterable[tuple[Place, ...]], solutions: Solutions
) -> Iterator[dict[str, Term]]:
    names = sorted({place for pattern in patterns for place in pattern if isinstance(place, str)} | {"row"})
    asked = _CONSTRUCT.sub(f"SELECT {' '.join(f'?{each}' for each in names)} WHERE {{", text, count=1)
    found = _asked(name, bound(asked, solutions))
    if not isinstance(found, QuerySolutions):
        raise Malformed(f"{name}: a mapping is a CONSTRUCT query")
    for solution in found:
        yield {each: value for each in names if (value := solution[each]) is not None}


def _fill(
    patterns: Iterable[tuple[Place, Place, Place]], solutions: Iterator[dict[str, Term]], found: dict[int, set[Quad]]
) -> None:
    """Adds the triples of each solution to those of its row; a triple that lacks a term, or may not be, is none."""
    for solution in solutions:
        quads = found[int(solution["row"].value)]  # type: ignore[union-attr]
        for pattern in patterns:
            s, p, o = (solution.get(place) if isinstance(place, str) else place for place in pattern)
            if isinstance(s, NamedNode | BlankNode) and isinstance(p, NamedNode) and o is not None:
                quads.add(Quad(s, p, o))
