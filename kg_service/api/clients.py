"""Who asks: the holder of a token, or somebody at an address."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from starlette.requests import Request

from kg_service.access import Access, Holder
from kg_service.errors import Forbidden, KgError, Refused, Unauthorised

#: Where what was found out about a request's token is kept with the request.
_FOUND = "kg.holder"


def require(request: Request, scope: str, what: str) -> Holder:
    """Who asks, if a token allows `what`. Forbidden when nobody may here, Unauthorised without a token that counts,
    InsufficientScope with one that allows less."""
    access: Access = request.app.state.access
    if not access.is_on:
        raise Forbidden(
            f"{what} over HTTP is off; start the service with KG_TOKEN set, or make a token with `kg token create`"
        )
    found = _found(request)
    if found is None:
        raise Unauthorised("send a token as “Authorization: Bearer …”")
    if isinstance(found, KgError):
        raise found
    found.must(scope, what)
    return found


def holder_of(request: Request) -> Holder | None:
    """Who shows a token that counts. One that does not is as none: reading is open."""
    found = _found(request)
    return found if isinstance(found, Holder) else None


def _found(request: Request) -> Holder | KgError | None:
    """The holder of the token, or why it does not count; looked up once for each request."""
    if _FOUND not in request.scope:
        sent = request.headers.getlist("authorization")
        request.scope[_FOUND] = _looked_up(request, sent) if sent else None
    found: Holder | KgError | None = request.scope[_FOUND]
    return found


def _looked_up(request: Request, sent: list[str]) -> Holder | KgError:
    if len(sent) > 1:
        return Refused("send one Authorization header, with one token", error="invalid_request")
    token = bearer(sent[0])
    if not token:
        return Unauthorised("send a token as “Authorization: Bearer …”")
    access: Access = request.app.state.access
    try:
        return access.holder(token, address_of(request))
    except KgError as error:
        return error


def bearer(authorization: str) -> str | None:
    """The token in a header Authorization, whose bytes are UTF-8; None for another scheme."""
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return None
    return given.strip().encode("latin-1", "replace").decode("utf-8", "surrogateescape")


def client_of(request: Request) -> str:
    """Whose turn and budget a request counts on: the token, else the address."""
    holder = holder_of(request)
    return holder.key if holder else address_of(request)


def address_of(request: Request) -> str:
    """The address that a request came from. Of an IPv6 address the network counts: one client has all of it."""
    return _whole_network(request.client.host if request.client else "")


@lru_cache(1024)
def _whole_network(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 4:
        return host
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), 64), strict=False))
