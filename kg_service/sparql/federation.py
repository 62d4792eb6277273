"""SERVICE: parts of a query that other endpoints answer (SPARQL 1.1 Federated Query).

Each SERVICE clause is asked as `SELECT * WHERE {…}`, and its solutions stand in its place as VALUES before the query
is evaluated: that is what the Recommendation's bottom-up semantics says of it (section 4), and the engine, which would
follow SERVICE to any address, never sees the word. So the endpoints see neither the rest of the query nor our data.

- Only endpoints that the settings list are asked, by the whole IRI; `SERVICE ?endpoint` and SERVICE within SERVICE are
  refused.
- SERVICE SILENT makes one empty solution of a failure. An endpoint that is not listed is a mistake and no failure.
- Blank nodes of an answer become IRIs under /.well-known/genid/, new ones for each clause: VALUES takes no others, and
  a blank node means nothing outside the answer that it stands in.
- Relative IRIs in a clause mean what they mean in the query.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from pyoxigraph import Literal, NamedNode

from kg_service.beside import at_once
from kg_service.errors import Busy, KgError, QueryStopped, Refused, ServiceFailed
from kg_service.rdf import GENID, JSON
from kg_service.sparql import guard
from kg_service.store import Query
from kg_service.store.egress import Budget, Destination, Egress, Received

#: SERVICE clauses of one query, and queries that may wait for other endpoints at a time.
MAX_CLAUSES, _AT_ONCE = 10, 4
#: The part of a query's time that its endpoints may take together; the rest is for the query.
_SHARE = 0.75
_LITERAL = {"type", "value", "xml:lang", "datatype"}
_ABSOLUTE = re.compile(r"<[A-Za-z][A-Za-z0-9+.-]*:")


@dataclass(frozen=True, slots=True)
class _Clause:
    """A SERVICE clause and where it stands; `asks` is the query for its endpoint."""

    endpoint: str
    asks: str
    variables: frozenset[str]
    is_silent: bool
    start: int
    end: int


class Federation:
    """Answers the SERVICE clauses of queries; `services` are entries as `Destination.listed` takes them."""

    def __init__(self, services: Iterable[str], *, max_bytes: int, queue_seconds: float) -> None:
        listed = map(Destination.listed, services)
        self._destinations = {destination.url: destination for destination in listed}
        self._max_bytes, self._queue_seconds = max_bytes, queue_seconds
        self._egress, self._turns = Egress(), asyncio.Semaphore(_AT_ONCE)
        #: Clauses that endpoints answered, and clauses where they failed, silent ones included.
        self.asked: Counter[str] = Counter()

    @property
    def is_on(self) -> bool:
        return bool(self._destinations)

    def close(self) -> None:
        self._egress.close()

    async def filled(self, query: Query) -> Query:
        """The query with the endpoints' solutions in place of its SERVICE clauses, and the time that is left for it.

        The text has passed `guard.inspect(…, may_federate=True)`. Raises Refused with the place of a clause that is
        not allowed, and unless it is SILENT: ServiceFailed, TooLarge, and QueryStopped at the deadline.
        """
        if not self.is_on or "service" not in query.text.casefold():
            return query
        clauses = await asyncio.to_thread(_clauses, query.text, query.base)
        if not clauses:
            return query
        for clause in clauses:
            if clause.endpoint not in self._destinations:
                raise Refused(
                    f"<{clause.endpoint}> is not among the endpoints that SERVICE may ask here; known: "
                    + ", ".join(f"<{url}>" for url in self._destinations),
                    **guard.position(query.text, clause.start),
                )
        clock = asyncio.get_running_loop().time
        begun = clock()
        async with self._turn():
            budget = Budget(self._max_bytes)
            deadline = begun + _SHARE * query.seconds
            asked = (self._values(clause, budget, deadline) for clause in clauses)
            text = _replaced(query.text, clauses, await at_once(*asked, most=len(clauses)))
        return replace(query, text=text, seconds=query.seconds - (clock() - begun), is_lasting=False)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Answers are held in memory: few at a time."""
        try:
            await asyncio.wait_for(self._turns.acquire(), self._queue_seconds)
        except TimeoutError:
            raise Busy(
                f"too many queries wait for other endpoints since {self._queue_seconds:g} s; try later"
            ) from None
        try:
            yield
        finally:
            self._turns.release()

    async def _values(self, clause: _Clause, budget: Budget, deadline: float) -> str:
        """The VALUES block that says what a clause's endpoint answers."""
        to = self._destinations[clause.endpoint]
        try:
            async with asyncio.timeout_at(deadline):
                form = urlencode({"query": clause.asks}).encode()
                received = await self._egress.post(to, form, accept=JSON.media_types[0], budget=budget)
                values = await asyncio.to_thread(_values, _checked(to, received), clause.variables)
            self.asked["answered"] += 1
            return values
        except TimeoutError:
            error: KgError = QueryStopped(f"the endpoint {to.url} did not answer in time; ask it for less")
        except KgError as failed:
            error = failed
        except ValueError as wrong:
            error = ServiceFailed(f"the endpoint {to.url} answered what are no SPARQL results: {wrong}")
        self.asked["failed"] += 1
        if clause.is_silent:
            return _block((), [()])
        raise error


# --- finding the clauses


def _clauses(text: str, base: str | None) -> list[_Clause]:
    """The SERVICE clauses of a query, in order."""
    found = list(guard.tokens(text))
    prologue, declared = _prologue(found, base or "")
    clauses: list[_Clause] = []
    for here, token in enumerate(found):
        if token.keyword != "SERVICE":
            continue
        is_silent = any(after.keyword == "SILENT" for after in found[here + 1 : here + 2])
        named = here + 1 + is_silent
        last = _matching(found, named + 1)
        wrong = _wrong(clauses, token, found[named : named + 1], last)
        if wrong or last is None:
            raise Refused(wrong, **guard.position(text, token.start))
        group = found[named + 1 : last + 1]
        clause = _Clause(
            endpoint=prologue.iri(found[named]),
            asks=_select(text[group[0].start : group[-1].end], [*declared, *group], declared, base),
            variables=frozenset(each.text[1:] for each in group if each.kind == "variable"),
            is_silent=is_silent,
            start=token.start,
            end=group[-1].end,
        )
        clauses.append(clause)
    return clauses


def _wrong(clauses: Sequence[_Clause], token: guard.Token, named: Sequence[guard.Token], last: int | None) -> str:
    """What is wrong with the clause that begins here; empty for a good one."""
    if clauses and token.start < clauses[-1].end:
        return "SERVICE within SERVICE is not followed here"
    if len(clauses) == MAX_CLAUSES:
        return f"a query may have {MAX_CLAUSES} SERVICE clauses, and here is one more"
    if named and named[0].kind == "variable":
        return f"SERVICE {named[0].text}: name the endpoint by its IRI"
    if last is None or named[0].kind not in ("iri", "name"):
        return "after SERVICE come the endpoint's IRI and a group in braces: SERVICE <IRI> { … }"
    return ""


def _prologue(found: Sequence[guard.Token], base: str) -> tuple[guard.Prologue, list[guard.Token]]:
    """What the query declares, and the tokens that declare it."""
    prologue = guard.Prologue(base, {})
    here = 0
    while here < len(found) and found[here].keyword in ("BASE", "PREFIX"):
        length = 2 if found[here].keyword == "BASE" else 3
        prologue.declare(found[here].keyword, found[here + 1 : here + length])
        here += length
    return prologue, list(found[:here])


def _matching(found: Sequence[guard.Token], start: int) -> int | None:
    """The place of the brace that closes the one at `start`."""
    depth = 0
    if start >= len(found) or found[start].text != "{":
        return None
    for here in range(start, len(found)):
        depth += (found[here].text == "{") - (found[here].text == "}")
        if depth == 0:
            return here
    return None


def _select(group: str, seen: Iterable[guard.Token], declared: Iterable[guard.Token], base: str | None) -> str:
    prologue = " ".join(token.text for token in declared)
    if base and any(token.kind == "iri" and not _ABSOLUTE.match(token.text) for token in seen):
        prologue = f"BASE {NamedNode(base)} {prologue}"  # relative IRIs must not mean the endpoint's own
    return f"{prologue}\nSELECT * WHERE {group}\n"


# --- what comes back


def _checked(to: Destination, received: Received) -> bytes:
    """The answer's body, if it is what was asked for."""
    kind = received.headers.get("content-type", "").partition(";")[0].strip().lower()
    if 300 <= received.status < 400:
        where = received.headers.get("location", "nowhere")
        raise ServiceFailed(f"the endpoint {to.url} redirects to {where}, which is not followed; list that URL instead")
    if received.status != 200:
        words = " ".join(received.body[:1000].decode("utf-8", "replace").split())[:300]
        raise ServiceFailed(f"the endpoint {to.url} answered {received.status}: {words}")
    if kind not in (*JSON.media_types, "application/json"):
        raise ServiceFailed(f'the endpoint {to.url} answered with "{kind}" instead of {JSON.media_types[0]}')
    return received.body


def _values(body: bytes, asked: frozenset[str]) -> str:
    """SPARQL 1.1 results in JSON as VALUES; ValueError for anything else, an end that is missing included."""
    try:
        results = json.loads(body)
        names, rows = results["head"]["vars"], results["results"]["bindings"]
    except (KeyError, TypeError, RecursionError):
        raise ValueError("head or results are missing") from None
    if not isinstance(names, list) or not isinstance(rows, list) or len(set(map(str, names))) < len(names):
        raise ValueError("head or results are not lists")
    if unasked := [name for name in names if name not in asked]:
        raise ValueError(f"the variable {unasked[0]!r} was not asked for")
    terms = _Terms()
    return _block(names, ([terms.written(row, name) for name in names] for row in rows))


def _block(names: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    variables = " ".join(f"?{name}" for name in names)
    # The filter changes nothing, but keeps VALUES from being read where only a clause at the end of a query may stand.
    return f" VALUES ({variables}) {{ {' '.join(f'({chr(32).join(row)})' for row in rows)} }} FILTER(true) "


class _Terms:
    """Writes the terms of one answer as SPARQL; the engine's own types check and escape them."""

    def __init__(self) -> None:
        self._blank: dict[str, str] = {}

    def written(self, row: Any, name: str) -> str:
        term = row.get(name) if isinstance(row, dict) else row
        if term is None:
            return "UNDEF"
        if not isinstance(term, dict) or not all(isinstance(part, str) for part in term.values()):
            raise ValueError(f"the value of {name} is no term")
        kind, value, language, datatype = (str(term.get(p, "")) for p in ("type", "value", "xml:lang", "datatype"))
        if kind == "uri":
            return str(NamedNode(value))
        if kind == "bnode":
            return str(NamedNode(self._blank.setdefault(value, GENID + uuid4().hex)))
        if kind not in ("literal", "typed-literal") or not term.keys() <= _LITERAL:
            raise ValueError(f"{kind!r} is no kind of term that SPARQL 1.1 knows")
        if language:
            return str(Literal(value, language=language))
        return str(Literal(value, datatype=NamedNode(datatype)) if datatype else Literal(value))


def _replaced(text: str, clauses: Sequence[_Clause], values: Sequence[str]) -> str:
    """The text with a VALUES block for each clause; what stands behind keeps its line."""
    return "".join(_pieces(text, clauses, values))


def _pieces(text: str, clauses: Sequence[_Clause], values: Sequence[str]) -> Iterator[str]:
    end = 0
    for clause, block in zip(clauses, values, strict=True):
        yield text[end : clause.start]
        yield block + "\n" * text.count("\n", clause.start, clause.end)
        end = clause.end
    yield text[end:]
