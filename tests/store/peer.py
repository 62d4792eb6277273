"""An engine of a few lines that does what no real one does on request."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from kg_service.store.remote import Endpoint

RESULTS = "application/sparql-results+json"


class Peer:
    """A hostile engine: tells the revision as it should, and answers everything else as the test says."""

    def __init__(self, misbehave: Callable[[BaseHTTPRequestHandler, bytes], None], *, is_polite: bool = True) -> None:
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                peer.authorizations.append(self.headers["Authorization"])
                if is_polite and b"graph/revision" in body:
                    reply(self, b'{"head":{"vars":["n"]},"results":{"bindings":[]}}')
                else:
                    with contextlib.suppress(ConnectionError):
                        misbehave(self, body)

            def do_GET(self) -> None:
                peer.gets += 1
                reply(self, b"{}")

            def log_message(self, *_: Any) -> None:
                pass

        self.authorizations: list[str | None] = []
        self.gets = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/query"

    def __enter__(self) -> Peer:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def reply(
    to: BaseHTTPRequestHandler,
    body: bytes,
    *,
    status: int = 200,
    kind: str = RESULTS,
    length: int | None = -1,
    **headers: str,
) -> None:
    """An answer that claims a length: its own (-1), another, or none at all."""
    to.send_response(status)
    to.send_header("Content-Type", kind)
    for name, value in headers.items():
        to.send_header(name.replace("_", "-"), value)
    if length is None:
        to.close_connection = True
    else:
        to.send_header("Content-Length", str(len(body) if length == -1 else length))
        to.close_connection = length != -1
    to.end_headers()
    to.wfile.write(body)


def forward(to: BaseHTTPRequestHandler, body: bytes, real: Endpoint, *, silently: bool = False) -> None:
    """Gives a request to a real engine, and its answer back unless silently."""
    kind = {"Content-Type": to.headers["Content-Type"], "Accept": to.headers["Accept"]}
    url = real.query if "form" in kind["Content-Type"] else real.update
    answer = httpx.post(str(url), content=body, headers=kind, trust_env=False)
    if not silently:
        reply(to, answer.content, status=answer.status_code, kind=answer.headers.get("content-type", ""))
