"""Every error that this project raises on purpose.

    KgError                      what was wrong, with the value, and what would be right
    ├── Malformed                a text that does not parse: RDF, SPARQL; knows line and column
    ├── Refused                  a request that is understood and not allowed: too deep, SERVICE, LOAD
    ├── Unauthorised             a token is needed, or the one sent is not known
    ├── Forbidden                nobody may do this here
    │   └── InsufficientScope    who asks may not do this, others may
    ├── PreconditionFailed       the thing is not (any more) what the client takes it for
    ├── NotFound                 no such thing; names the known ones
    │   └── Deleted              there was such a thing; says when it ended
    ├── WrongParameter           a parameter with a value that is not one of the allowed, or one that nobody knows
    ├── TooLong                  an address with more bytes than one may have
    ├── HeadTooLarge             headers with more bytes than they may have
    ├── NotAcceptable            none of the asked formats can be written
    ├── UnsupportedFormat        the format of what came in is not one we read
    ├── AlreadyThere             what was to be made exists
    ├── KeyReused                an idempotency key that was used for another request
    ├── Violations               data that break the shapes; carries the validation report
    ├── ServiceFailed            another endpoint, asked by SERVICE, gave no answer that could be used
    ├── Incomplete               an answer that ended before it was whole (the client)
    ├── QueryStopped             a query that was ended: memory, operator, the service stops
    │   ├── TooSlow              it passed its deadline
    │   ├── TooLarge             its answer passes a limit of rows or bytes
    │   ├── TooMany              its client asks more than one client may
    │   └── Busy                 too many ask at once
    │       └── BeingMade        what is asked for is still being made
    └── StoreError               the store cannot be used
        ├── StoreLocked          another process holds it
        ├── StoreUnwritable      no permission, not a directory
        │   └── StoreFull        no space left
        ├── StoreNewer           written by a newer version of this program
        ├── StoreDamaged         cannot be read; says what to do
        └── Conflict             someone else changed the graph first (store.remote)

`status` is the HTTP status of the problem+json answer (RFC 9457), `exit_code` the one of the command line.
"""

from __future__ import annotations

from typing import Any, ClassVar

#: What the type IRIs of problems begin with.
PROBLEMS = "https://w3id.org/sse-kg/problem/"


class KgError(Exception):
    """A problem that the user can understand: `detail` is one sentence in plain words."""

    title: ClassVar[str] = "Something went wrong"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 2

    def __init__(self, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.more = {name: value for name, value in more.items() if value is not None}

    @classmethod
    def kind(cls) -> str:
        """The class name in kebab-case; the end of the problem's type IRI."""
        return "".join("-" + c.lower() if c.isupper() else c for c in cls.__name__).lstrip("-")

    def problem(self) -> dict[str, Any]:
        """The members of the problem+json answer (RFC 9457, section 3.1)."""
        about = {
            "type": PROBLEMS + self.kind(),
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        return about | self.more


class Malformed(KgError):
    """A text that does not parse; `more` holds source, line and column (both from 1) where known."""

    title = "The text could not be parsed"
    status = 400


class Refused(KgError):
    """A request that is understood and not allowed."""

    title = "The request is not allowed"
    status = 400


class Unauthorised(KgError):
    """A token is needed, or the one sent is not known."""

    title = "Not authorised"
    status = 401
    #: The member `error` where a token was sent that does not count (RFC 6750, section 3.1).
    INVALID: ClassVar[str] = "invalid_token"


class Forbidden(KgError):
    """Nobody may do this here."""

    title = "Not allowed here"
    status = 403


class InsufficientScope(Forbidden):
    """Who asks may not do this; `scope` is the right that is needed."""

    title = "Not allowed with this token"


class PreconditionFailed(KgError):
    """The thing is not (any more) what the client takes it for."""

    title = "Precondition failed"
    status = 412


class NotFound(KgError):
    """There is no such thing."""

    title = "Not found"
    status = 404


class Deleted(NotFound):
    """There was such a thing."""

    title = "Deleted"
    status = 410


class WrongParameter(KgError):
    """A parameter that is not known, or whose value is not one of the allowed."""

    title = "Wrong parameter"
    status = 422


def wrong_parameter(name: str, value: object, allowed: str) -> WrongParameter:
    """The error that names a parameter, the value that was sent, and what is allowed, as a phrase."""
    return WrongParameter(f'{name}: "{value}" is not possible; {allowed}', parameter=name, value=value, allowed=allowed)


class TooLong(KgError):
    """The request's address has more bytes than one may have."""

    title = "The address is too long"
    status = 414


class HeadTooLarge(KgError):
    """The request's headers have more bytes than they may have."""

    title = "The headers are too large"
    status = 431


class NotAcceptable(KgError):
    """None of the formats that the client accepts can be written."""

    title = "No acceptable format"
    status = 406


class UnsupportedFormat(KgError):
    """What came in is in no format that we read."""

    title = "Unsupported format"
    status = 415


class AlreadyThere(KgError):
    """What was to be made exists."""

    title = "It is there already"
    status = 409


class KeyReused(KgError):
    """An idempotency key was sent again with another request."""

    title = "The idempotency key is taken"
    status = 422


class Violations(KgError):
    """The data break the shapes; `report` says where."""

    title = "The data do not conform to the shapes"
    status = 422
    exit_code = 1

    def __init__(self, detail: str, report: Any, **more: Any) -> None:
        super().__init__(detail, **more)
        self.report = report


class ServiceFailed(KgError):
    """Another endpoint, asked by SERVICE, gave no answer that could be used."""

    title = "Another endpoint failed"
    status = 502


class Incomplete(KgError):
    """An answer that ended before it was whole; nothing of it may be taken for all of it."""

    title = "The answer was cut"
    status = 502


class QueryStopped(KgError):
    """A query that was ended before its answer was complete; no part of the answer was given out as whole."""

    title = "The query was stopped"
    status = 503


class TooSlow(QueryStopped):
    """The query passed its deadline."""

    title = "The query took too long"
    status = 504


class TooMany(QueryStopped):
    """The client asks more than one client may; `retry_after` says when it may again."""

    title = "Too many requests"
    status = 429


class TooLarge(QueryStopped):
    """The answer passes a limit of rows or bytes."""

    title = "The answer is too large"
    status = 413


class Busy(QueryStopped):
    """Every reader is at work and the queue is full or the wait was too long; `retry_after` says when to come again."""

    title = "The service is busy"
    status = 503


class BeingMade(Busy):
    """What is asked for is still being made; `retry_after` says when to come again."""


class StoreError(KgError):
    """The store cannot be used."""

    title = "The store cannot be used"
    status = 503


class StoreLocked(StoreError):
    """Another process holds the store."""


class StoreUnwritable(StoreError):
    """The store's directory cannot be written."""


class StoreFull(StoreUnwritable):
    """There is no space left where the store, or a copy of it, is to be written."""

    status = 507


class StoreNewer(StoreError):
    """The store was written by a newer version of this program."""


class StoreDamaged(StoreError):
    """The store cannot be read."""


def from_problem(problem: dict[str, Any]) -> KgError:
    """The error that a process described by `KgError.problem`."""
    known = {kind.kind(): kind for kind in _all_kinds(KgError)}
    kind = known.get(str(problem["type"]).removeprefix(PROBLEMS), KgError)
    more = {name: value for name, value in problem.items() if name not in ("type", "title", "status", "detail")}
    return kind(problem["detail"], **more)


def _all_kinds(kind: type[KgError]) -> list[type[KgError]]:
    return [kind, *(found for sub in kind.__subclasses__() for found in _all_kinds(sub))]
