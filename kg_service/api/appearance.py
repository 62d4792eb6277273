"""`/appearance`: light or dark, for who wants the pages otherwise than the browser would show them."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kg_service.api import pages
from kg_service.api.addresses import public_url
from kg_service.api.forms import form_of
from kg_service.api.parameters import Parameter, read
from kg_service.api.sessions import check_origin

METHODS = ["POST"]
#: The choices: as the browser says comes first.
CHOICES = ("system", *pages.SCHEMES)
#: Seconds for which a browser remembers it, and bytes of the form.
_LASTS, _MOST = 365 * 86_400, 16_384
_BACK = Parameter(name="back", description="The page to go back to.")
#: A path of this service: nothing that a browser takes for another host.
_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x20]*")


async def chosen(request: Request) -> Response:
    """Has the browser keep the choice, and goes back to the page; the cookie says nothing but light or dark."""
    read(request, [_BACK])
    form = await form_of(request, _MOST)
    check_origin(request)
    scheme = form.one_of("scheme", CHOICES)
    response = RedirectResponse(f"{public_url(request)}{back(request)}", 303)
    response.headers["Cache-Control"] = "no-store"
    is_secure = public_url(request).startswith("https:")
    if scheme == CHOICES[0]:
        response.delete_cookie(pages.SCHEME, path="/", secure=is_secure, httponly=True, samesite="lax")
    else:
        response.set_cookie(
            pages.SCHEME, scheme, max_age=_LASTS, path="/", secure=is_secure, httponly=True, samesite="lax"
        )
    return response


def back(request: Request) -> str:
    """The page that the choice was made on."""
    named = request.query_params.get(_BACK.name, "")
    return named if _PATH.fullmatch(named) else "/"
