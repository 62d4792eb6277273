"""Who has signed in to write by the pages: the token is sent once, a signed cookie stands for it afterwards.

The cookie counts for pages alone; `/api` and the other doors of programs take the token in its header, so that no
page elsewhere can write with what a browser sends by itself. A form of a page is taken when it comes from a page of
this origin (Origin, else Sec-Fetch-Site) and carries the mark that was put into it for this session.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from kg_service.api.addresses import public_url
from kg_service.api.clients import client_of
from kg_service.api.forms import Form
from kg_service.errors import Forbidden, TooMany, Unauthorised
from kg_service.settings import Settings

COOKIE = "kg-session"
#: The field of a form that holds its mark.
MARK = "mark"
#: Seconds that a session lasts.
_LASTS = 8 * 3600
#: Wrong tokens that one client may send within so many seconds; clients and ended sessions that are remembered.
_TRIES, _WINDOW, _REMEMBERED = 10, 60.0, 10_000
#: Characters of a name.
LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who has shown the token, by the name that the log of changes gets."""

    author: str
    nonce: str
    expires: int


class Sessions:
    """The sessions of a service; they outlive a restart, and end with another token."""

    def __init__(self, settings: Settings) -> None:
        token = settings.token if settings.is_writable else None
        self._token = token.get_secret_value().encode() if token else None
        self._ended: OrderedDict[str, int] = OrderedDict()
        self._wrong: OrderedDict[str, list[float]] = OrderedDict()

    @property
    def is_possible(self) -> bool:
        """Whether anybody can sign in: there is a token, and this program writes the graph."""
        return self._token is not None

    def begin(self, request: Request, response: Response, token: str, author: str) -> None:
        """Sets the cookie for who sends the right token; Unauthorised, and TooMany for who guesses."""
        if self._token is None:
            raise Forbidden("writing over HTTP is off; start the service with KG_TOKEN set, where it may write")
        client, now = client_of(request), time.monotonic()
        wrong = [at for at in self._wrong.get(client, ()) if at > now - _WINDOW]
        if len(wrong) >= _TRIES:
            raise TooMany("too many wrong tokens; wait a minute", retry_after=int(_WINDOW))
        if not hmac.compare_digest(token.strip().encode("utf-8", "surrogatepass"), self._token):
            self._wrong[client] = [*wrong, now]
            _shorten(self._wrong)
            raise Unauthorised("this is not the token of the service")
        session = Session(author, secrets.token_urlsafe(12), int(time.time()) + _LASTS)
        response.set_cookie(
            COOKIE,
            self._signed(session),
            max_age=_LASTS,
            path="/",
            secure=public_url(request).startswith("https:"),
            httponly=True,
            samesite="strict",
        )

    def end(self, response: Response, session: Session | None) -> None:
        """Takes the cookie back; a copy of it counts no more."""
        if session:
            self._ended[session.nonce] = session.expires
            _shorten(self._ended)
        response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")

    def of(self, request: Request) -> Session | None:
        """The session that a request belongs to, if any."""
        payload, _, signature = request.cookies.get(COOKIE, "").partition(".")
        if not signature or not hmac.compare_digest(signature.encode(), self._signature(payload).encode()):
            return None
        try:
            author, nonce, expires = json.loads(base64.urlsafe_b64decode(payload))
        except (ValueError, binascii.Error):
            return None
        if expires < time.time() or nonce in self._ended:
            return None
        return Session(author, nonce, expires)

    def mark(self, session: Session | None) -> str:
        """What a form of this session carries, so that no other page can make one."""
        return self._signature(f"form {session.nonce}") if session else ""

    def check(self, request: Request, form: Form) -> Session:
        """The session that may send this form; Unauthorised without one, Forbidden for a form from elsewhere."""
        check_origin(request)
        session = self.of(request)
        if session is None:
            raise Unauthorised("you are not signed in, or no more; sign in and send the form again")
        if not hmac.compare_digest(form.get(MARK).encode(), self.mark(session).encode()):
            raise Forbidden("the form is not one of this session; open the page again and fill it in")
        return session

    def _signed(self, session: Session) -> str:
        written = json.dumps([session.author, session.nonce, session.expires]).encode()
        payload = base64.urlsafe_b64encode(written).decode()
        return f"{payload}.{self._signature(payload)}"

    def _signature(self, text: str) -> str:
        # Without a token nobody can sign in, and nothing is ever accepted.
        key = hmac.new(self._token or secrets.token_bytes(32), b"sessions of pages", hashlib.sha256).digest()
        return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def check_origin(request: Request) -> None:
    """Forbidden for a form that no page of this service sent."""
    origin = request.headers.get("origin")
    if origin is None and request.headers.get("sec-fetch-site") == "same-origin":
        return
    if origin not in {_origin(public_url(request)), _origin(str(request.base_url))}:
        raise Forbidden("the form was not sent by a page of this service; open the page here and send it again")


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _shorten(remembered: OrderedDict[str, object] | OrderedDict[str, int] | OrderedDict[str, list[float]]) -> None:
    while len(remembered) > _REMEMBERED:
        remembered.popitem(last=False)
