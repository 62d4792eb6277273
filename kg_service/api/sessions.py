"""Who has signed in to write by the pages: a token is sent once, a signed cookie stands for it afterwards.

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
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from kg_service.access import CONTRIBUTE, VALIDATE, Access, Holder
from kg_service.api.addresses import public_url
from kg_service.api.clients import address_of
from kg_service.api.forms import Form
from kg_service.changes import Present, Proposal
from kg_service.errors import Forbidden, Unauthorised
from kg_service.settings import Settings
from kg_service.store import Delta

COOKIE = "kg-session"
#: The field of a form that holds its mark.
MARK = "mark"
#: Seconds that a session lasts.
_LASTS = 8 * 3600
#: Ended sessions that are remembered.
_REMEMBERED = 10_000
#: Characters of a name.
LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who has shown a token, by the name that the log of changes gets."""

    author: str
    nonce: str
    expires: int
    holder: Holder

    def proposal(
        self,
        make: Callable[[Present], Delta],
        *,
        note: str,
        is_trial: bool,
        language: str,
        reverts: int | None = None,
    ) -> Proposal:
        """The change that a form of this session asks for; InsufficientScope where its token does not allow that."""
        self.holder.must(VALIDATE if is_trial else CONTRIBUTE, "this" if is_trial else "writing")
        return Proposal(
            make,
            author=self.author,
            note=note,
            reverts=reverts,
            dry_run=is_trial,
            language=language,
            graphs=self.holder.graphs,
        )


class Sessions:
    """The sessions of a service. They end with their token: when it is revoked, expires or gets another secret.

    They outlive a restart where KG_TOKEN is set, of which their key is made.
    """

    def __init__(self, settings: Settings, access: Access) -> None:
        self._access, self._is_writable = access, settings.is_writable
        self._key = access.secret(b"sessions of pages") or secrets.token_bytes(32)
        self._ended: OrderedDict[str, int] = OrderedDict()

    @property
    def is_possible(self) -> bool:
        """Whether anybody can sign in: there is a token, and this program writes the graph."""
        return self._is_writable and self._access.is_on

    def begin(self, request: Request, response: Response, token: str, author: str) -> None:
        """Sets the cookie for who sends a token that counts; Unauthorised, and TooMany for who guesses.

        `author` is a name for who has KG_TOKEN; the other tokens have their own.
        """
        if not self.is_possible:
            raise Forbidden("writing over HTTP is off; start the service with KG_TOKEN set, where it may write")
        holder = self._access.holder(token.strip(), address_of(request))
        if not holder.proof:
            raise Unauthorised("the token of a provider is shown with each request, and lets nobody sign in")
        lasts = _LASTS if holder.expires is None else min(_LASTS, int(holder.expires - time.time()))
        session = Session(holder.author or author, secrets.token_urlsafe(12), int(time.time()) + lasts, holder)
        response.set_cookie(
            COOKIE,
            self._signed(session),
            max_age=lasts,
            path="/",
            secure=public_url(request).startswith("https:"),
            httponly=True,
            samesite="strict",
        )

    def end(self, response: Response, session: Session | None) -> None:
        """Takes the cookie back; a copy of it counts no more."""
        if session:
            self._ended[session.nonce] = session.expires
            if len(self._ended) > _REMEMBERED:
                self._ended.popitem(last=False)
        response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")

    def of(self, request: Request) -> Session | None:
        """The session that a request belongs to, if any."""
        payload, _, signature = request.cookies.get(COOKIE, "").partition(".")
        if not signature or not hmac.compare_digest(signature.encode(), self._signature(payload).encode()):
            return None
        try:
            author, nonce, expires, key, proof = json.loads(base64.urlsafe_b64decode(payload))
        except (ValueError, binascii.Error):
            return None
        if expires <= time.time() or nonce in self._ended:
            return None
        holder = self._access.again(key, proof)
        return Session(author, nonce, expires, holder) if holder else None

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
        holder = session.holder
        written = json.dumps([session.author, session.nonce, session.expires, holder.key, holder.proof]).encode()
        payload = base64.urlsafe_b64encode(written).decode()
        return f"{payload}.{self._signature(payload)}"

    def _signature(self, text: str) -> str:
        return hmac.new(self._key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


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
