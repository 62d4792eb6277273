"""`/sign-in` and `/sign-out`: the token for a cookie, and the cookie back."""

from __future__ import annotations

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kg_service.api import pages, problems
from kg_service.api.addresses import public_url
from kg_service.api.forms import form_of
from kg_service.api.parameters import Parameter, read
from kg_service.api.sessions import LONGEST_NAME, Sessions, check_origin
from kg_service.errors import KgError, TooMany, Unauthorised
from kg_service.web import keeping

METHODS = ["GET", "HEAD", "POST"]
_NEXT = Parameter(name="next", description="The page to go to afterwards.")
#: Bytes of these forms.
_MOST = 16_384
#: A path of this service: nothing that a browser takes for another host.
_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x20]*")
PRIVATE = {"Cache-Control": "no-store", "Vary": "Cookie, Accept, Accept-Language"}


async def sign_in(request: Request) -> Response:
    """The form; after POST a redirection with the cookie, or the form again with what was wrong."""
    given = read(request, [*pages.LANGUAGES, _NEXT])
    onward = given["next"] if given["next"] and _PATH.fullmatch(given["next"]) else "/history"
    sessions: Sessions = request.app.state.sessions
    if request.method != "POST":
        return _shown(request, onward, None)
    form = await form_of(request, _MOST)
    check_origin(request)
    root = public_url(request)
    after = keeping.led(f"{root}{onward}", root, "lang", pages.language_of(request))
    response = RedirectResponse(after, 303, headers=PRIVATE)
    author = " ".join(form.get("author").split())[:LONGEST_NAME]
    try:
        sessions.begin(request, response, form.get("token"), author or "unknown")
    except (Unauthorised, TooMany) as error:
        return _shown(request, onward, error, author)
    return response


async def sign_out(request: Request) -> Response:
    """Ends the session, and shows where one signs in."""
    sessions: Sessions = request.app.state.sessions
    form = await form_of(request, _MOST)
    response = RedirectResponse(
        f"{public_url(request)}/sign-in?lang={pages.language_of(request)}", 303, headers=PRIVATE
    )
    if sessions.of(request):
        sessions.end(response, sessions.check(request, form))
    return response


def _shown(request: Request, onward: str, error: KgError | None, author: str = "") -> Response:
    sessions: Sessions = request.app.state.sessions
    told = problems.headers(error) if error else {}
    return pages.page(
        request,
        "sign-in.html",
        status=error.status if error else 200,
        headers=PRIVATE | told,
        onward=onward,
        author=author,
        error=None if error is None else "many" if isinstance(error, TooMany) else "wrong",
        is_possible=sessions.is_possible,
        longest=LONGEST_NAME,
        **signed(request),
    )


def signed(request: Request) -> dict[str, Any]:
    """What every page that can write shows of the session."""
    sessions: Sessions = request.app.state.sessions
    session = sessions.of(request)
    return {"session": session, "mark": sessions.mark(session)}
