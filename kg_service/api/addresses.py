"""Where things are on the web: the addresses that answers link to."""

from __future__ import annotations

from starlette.requests import Request


def public_url(request: Request) -> str:
    """The address of this service as clients know it, without a slash at the end."""
    settings = request.app.state.settings
    return (settings.public_url or str(request.base_url)).rstrip("/")
