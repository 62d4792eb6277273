"""What every writing door shares: who may write, what a request says about its change, and how it is answered."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request

from kg_service.access import CONTRIBUTE, VALIDATE, Holder
from kg_service.api import problems
from kg_service.api.clients import require
from kg_service.changes import Committed, Present, Proposal
from kg_service.errors import Forbidden, PreconditionFailed, TooLarge, UnsupportedFormat, wrong_parameter
from kg_service.store import Delta
from kg_service.store.log import OpenLog

#: What every writing operation may answer, for the OpenAPI description.
ANSWERS = problems.described(
    {
        "400": "The body or a parameter is malformed or not allowed; says line and column.",
        "401": "The token is missing, or does not count; WWW-Authenticate says so.",
        "403": "Writing is off, or the token does not allow it; `scope` is what is needed.",
        "412": "If-Match or If-None-Match does not hold.",
        "413": "The body is too large, or needs too much memory.",
        "415": "The body's format is not known.",
        "422": "The data break the shapes; nothing was written. Holds the report.",
        "503": "Another process is writing, or too many changes wait.",
        "504": "The request took too long; nothing was written.",
    }
)
#: The parameters that every writing operation takes, for the OpenAPI description.
PARAMETERS = [
    {"name": name, "in": where, "description": what, "schema": {"type": kind}}
    for name, where, kind, what in (
        ("dry_run", "query", "boolean", "Judge only: nothing is written, and nothing is logged."),
        ("quarantine", "query", "boolean", "Keep the change apart if it does not conform."),
        ("author", "query", "string", "Who makes the change, for the log, with KG_TOKEN; or the header KG-Author."),
        ("note", "query", "string", "Why, for the log; or the header KG-Note."),
        ("lang", "query", "string", "Language of the messages: en or es."),
        ("Idempotency-Key", "header", "string", "A name for the request: sent twice, it is made once."),
        ("If-Match", "header", "string", "ETag of the state that the client wants to change."),
    )
]


#: How a parameter says yes; its name alone does.
_YES = ("true", "1", "")


def may_write(request: Request, scope: str | None = None) -> Holder:
    """Who asks, if a token allows the scope; else to contribute, or where nothing is to be written to have it judged.

    Forbidden when writing is off, Unauthorised without a token that counts, InsufficientScope with another.
    """
    if not request.app.state.settings.is_writable:
        raise Forbidden("this service reads another engine's graph; write there, or start it with KG_STORE=sparql")
    if scope is None:
        scope = VALIDATE if is_true(request, "dry_run") else CONTRIBUTE
    return require(request, scope, "writing" if scope == CONTRIBUTE else "this")


async def body_of(request: Request, limit: int) -> bytes:
    """The request's body; TooLarge as soon as it passes the limit. Nothing is unpacked, so nothing can swell."""
    coding = request.headers.get("content-encoding", "identity")
    if coding.strip().lower() != "identity":
        raise UnsupportedFormat(f'the body is packed as "{coding[:40]}"; send it as it is')
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise TooLarge(f"the body is larger than {limit} bytes; send it in parts")
    return bytes(body)


def proposal(request: Request, body: bytes, make: Callable[[Present], Delta]) -> Proposal:
    """The change that a request asks for, with what its headers and parameters say about it.

    Who may not change all graphs is held to his own when the change is known.
    """
    holder = may_write(request)
    asked = hashlib.sha256(f"{request.method} {request.url.path}?{request.url.query}\n".encode() + body)
    return Proposal(
        make,
        author=_author(request, holder),
        graphs=holder.graphs,
        note=_said(request, "note") or "",
        key=request.headers.get("idempotency-key"),
        request=asked.hexdigest(),
        dry_run=is_true(request, "dry_run"),
        quarantine=is_true(request, "quarantine"),
        language=language(request),
    )


def _author(request: Request, holder: Holder) -> str:
    """The name that the token gives; who has KG_TOKEN says it himself."""
    said = _said(request, "author")
    if holder.author is None:
        return said or "unknown"
    if said and said != holder.author:
        raise wrong_parameter("author", said[:100], f"this token writes as “{holder.author}”; leave the author out")
    return holder.author


def _said(request: Request, name: str) -> str | None:
    """A parameter, or the header of that name, whose characters beyond ASCII are percent-encoded."""
    given = request.query_params.get(name)
    return unquote(request.headers.get(f"kg-{name}", "")) if given is None else given


def is_true(request: Request, name: str) -> bool:
    """Whether a parameter says yes; WrongParameter for anything but true and false."""
    given = request.query_params.get(name, "false").lower()
    if given not in (*_YES, "false", "0"):
        raise wrong_parameter(name, given, "one of: true, false")
    return given in _YES


def language(request: Request) -> str:
    """The language of messages: that of `lang`, else the first of ours that Accept-Language names."""
    wanted = request.query_params.get("lang") or request.headers.get("accept-language", "")
    known = (part.strip()[:2].lower() for part in wanted.split(","))
    return next((each for each in known if each in ("en", "es")), "en")


def tags(request: Request, header: str) -> set[str]:
    """The entity tags of If-Match or If-None-Match, `*` among them, without the mark of weak ones."""
    sent = request.headers.get(header, "")
    return {tag.strip().removeprefix("W/") for tag in sent.split(",") if tag.strip()}


def state_of(tag: str) -> str:
    """The part of an entity tag that tells the state of a thing; what follows the dot tells the rest of its answer."""
    return re.sub(r'^("[cg][0-9]+-[a-z-]+)\.[0-9a-f]+"$', r'\1"', tag)


def tag(change: int, generation: int, how: str) -> str:
    """The ETag, in a format, of what the change of that number touched last; 0 where no log tells, but the generation.

    It stays while other things change.
    """
    return f'"c{change}-{how}"' if change else f'"g{generation}-{how}"'


def last_tag(request: Request, iri: str, generation: int, how: str) -> str:
    """The ETag of a thing or graph as of a generation; "" is the default graph."""
    if not request.app.state.settings.is_writable:  # who writes there keeps no log that we know
        return tag(0, generation, how)
    opened: OpenLog = request.app.state.log
    with opened(generation) as log:
        return tag(log.last_about(iri), generation, how)


def check_match(request: Request, store: Present, iri: str, formats: Iterable[str], *, exists: bool) -> None:
    """If-Match and If-None-Match (RFC 9110, section 13.1), compared with a thing or graph in each of the formats."""
    wanted, unwanted = ({state_of(each) for each in tags(request, name)} for name in ("if-match", "if-none-match"))
    if not wanted and not unwanted:
        return
    change = store.last_about(iri)
    current = {tag(change, store.generation, how) for how in formats} | {"*"} if exists else set()
    name = f"<{iri}>" if iri else "the default graph"
    if wanted and not wanted & current:
        raise PreconditionFailed(f"{name} is not the one that If-Match names; read it again")
    if unwanted & current:
        raise PreconditionFailed(f"{name} is there already, as If-None-Match does not want it")


def check_generation(request: Request, store: Present) -> None:
    """PreconditionFailed when If-Match names generations, and not the one that the store is at."""
    wanted = tags(request, "if-match")
    here = "" if store.has_staged else str(store.generation)
    if wanted and "*" not in wanted and here not in {tag.strip('"').partition("-")[0] for tag in wanted}:
        raise PreconditionFailed(f"the graph is at generation {store.generation}, not at the one that If-Match names")


def told(done: Committed, *, dry_run: bool = False) -> dict[str, Any]:
    """What became of a change, for a JSON answer."""
    return {
        "change": done.change,
        "generation": done.generation,
        "added": done.added,
        "removed": done.removed,
        "dry_run": dry_run,
        "warnings": done.report.counts,
    }


def headers(done: Committed) -> dict[str, str]:
    """The headers of an answer about a change."""
    named = {"KG-Change": str(done.change)} if done.change else {}
    return {"KG-Generation": str(done.generation)} | named
