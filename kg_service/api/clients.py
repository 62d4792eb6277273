"""Who asks: the holder of the token, or somebody at an address."""

from __future__ import annotations

import hmac
import ipaddress
from functools import lru_cache

from starlette.requests import Request

from kg_service.errors import Forbidden, Unauthorised


def require_token(request: Request, what: str) -> None:
    """Raises Forbidden when no token is set, and so nobody may do `what`; Unauthorised without the right token."""
    if request.app.state.settings.token is None:
        raise Forbidden(f"{what} over HTTP is off; start the service with KG_TOKEN set")
    if not has_token(request):
        raise Unauthorised("send the token as “Authorization: Bearer …”")


def has_token(request: Request) -> bool:
    """Whether the request carries the service's token."""
    token = request.app.state.settings.token
    authorization = request.headers.get("authorization")
    if authorization is None:
        return False
    scheme, _, given = authorization.partition(" ")
    if token is None or scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(given.strip().encode("latin-1", "replace"), token.get_secret_value().encode())


def client_of(request: Request) -> str:
    """Whose turn and budget a request counts on: the token, else the address.

    Of an IPv6 address the network counts, because one client has all of it.
    """
    if has_token(request):
        return "token"
    host = request.client.host if request.client else ""
    return _whole_network(host)


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
