"""How the client asks: again when the service is busy, and never content with part of an answer."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from kg_service.errors import Incomplete, KgError, NotFound, StoreError, from_problem

#: Answers that say: come again.
_BUSY = (429, 503)
#: Longest wait between two attempts, in seconds.
_LONGEST = 60.0
Parameters = dict[str, Any]


class Transport:
    """Sends requests to one service; each is made at most `retries` times more than once."""

    def __init__(self, url: str, token: str | None, *, timeout: float, retries: int) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.url, self._retries = url.rstrip("/"), retries
        self._http = httpx.Client(headers=headers, timeout=timeout, follow_redirects=True)

    def close(self) -> None:
        self._http.close()

    @contextmanager
    def stream(self, method: str, path: str, *, is_safe: bool = True, **more: Any) -> Iterator[httpx.Response]:
        """The answer, whose body is still to be read; raises the service's problem as the error that it was there.

        Only what `is_safe` to be sent twice is sent again after a connection failed.
        """
        url = path if path.startswith(("http://", "https://")) else self.url + path
        for attempt in range(self._retries + 1):
            is_last = attempt == self._retries
            request = self._http.build_request(method, url, **more)
            try:
                response = self._http.send(request, stream=True)
            except httpx.TransportError as error:
                if is_last or not is_safe:
                    raise StoreError(f"{url} does not answer: {error}") from error
                time.sleep(_pause(None, attempt))
                continue
            try:
                if response.status_code in _BUSY and not is_last:
                    wait = _pause(response.headers.get("retry-after"), attempt)
                    response.close()
                    time.sleep(wait)
                    continue
                if response.status_code >= 400:
                    raise _problem(response)
                yield response
                return
            finally:
                response.close()

    def whole(self, method: str, path: str, **more: Any) -> httpx.Response:
        """The answer with all of its body."""
        with self.stream(method, path, **more) as response:
            for _ in parts(response, keep=True):
                pass
            return response

    def json(self, method: str, path: str, **more: Any) -> Any:
        """The answer's JSON."""
        response = self.whole(method, path, **more)
        try:
            return response.json()
        except ValueError as error:
            raise Incomplete(f"{response.url} answered no whole JSON: {error}") from None


def parts(response: httpx.Response, *, keep: bool = False) -> Iterator[bytes]:
    """The body in parts; Incomplete when it ends before it is whole."""
    try:
        if keep:
            yield response.read()
        else:
            yield from response.iter_bytes()
    except (httpx.TransportError, httpx.DecodingError) as error:
        raise Incomplete(f"the answer of {response.url} was cut: {error}") from error


class Body:
    """A body as a file, for parsers that read as they go."""

    def __init__(self, response: httpx.Response) -> None:
        self._parts, self._held = parts(response), b""

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._held) < size:
            part = next(self._parts, None)
            if part is None:
                break
            self._held += part
            if size >= 0:
                break
        end = len(self._held) if size < 0 else size
        data, self._held = self._held[:end], self._held[end:]
        return data

    def lines(self) -> Iterator[bytes]:
        """The lines, without their ends."""
        held = b""
        for part in self._parts:
            *whole, held = (held + part).split(b"\n")
            yield from whole
        if held:
            yield held


def _pause(retry_after: str | None, attempt: int) -> float:
    """How long to wait: as the service says, else longer each time; with some chance, so that not all come at once."""
    wait = min(2.0**attempt / 2, _LONGEST)
    if retry_after:
        with suppress(ValueError):
            wait = float(retry_after) if retry_after.isdecimal() else _until(retry_after)
    wait = max(0.0, min(wait, _LONGEST))
    return wait + random.random() * 0.3 * (1 + wait)


def _until(time_named: str) -> float:
    """The seconds until a time as HTTP writes it."""
    return (parsedate_to_datetime(time_named) - datetime.now(UTC)).total_seconds()


def _problem(response: httpx.Response) -> KgError:
    """What the service says went wrong."""
    text = b"".join(parts(response, keep=True))
    if response.headers.get("content-type", "").startswith("application/problem+json"):
        with suppress(ValueError, KeyError):
            told = from_problem(response.json())
            return told if type(told) is not KgError or response.status_code != 404 else NotFound(told.detail)
    return KgError(f"{response.url} answered {response.status_code}: {text[:200].decode(errors='replace')}")
