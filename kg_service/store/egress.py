"""The one way out to servers that are not ours: to listed URLs only, at addresses that are checked and then kept to.

A name is resolved once. Every address that it has must be a public one, and the connection goes to one of these, so
that a name which means another address a moment later reaches nothing. Servers on private addresses are for who lists
them as such. No redirect is followed, no proxy is used, no credentials are sent; bytes are counted as they come, and
whoever cancels the request closes the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any
from urllib.parse import urlsplit

import h11

from kg_service import __version__
from kg_service.errors import Malformed, ServiceFailed, TooLarge

_AGENT = f"sse-kg/{__version__}"
#: Begins an entry whose server may have any address.
_PRIVATE = "private+"
_PART = 64 * 1024
#: Seconds for one address; the next one may answer.
_TO_CONNECT = 5.0

_NAT64 = IPv6Network("64:ff9b::/96")
_PUBLIC_V6 = IPv6Network("2000::/3")
#: Special in spite of that: IETF assignments with Teredo, documentation, 6to4.
_SPECIAL_V6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
#: What `is_global` lets through, or did in some versions: IETF assignments with one cloud's metadata, 6to4 relays, and
#: the address at which another cloud's machines find their host.
_SPECIAL_V4 = tuple(map(IPv4Network, ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32")))


@dataclass(frozen=True, slots=True)
class Destination:
    """A URL that may be asked, taken apart."""

    url: str
    host: str
    port: int
    target: str
    is_secure: bool
    may_be_private: bool

    @classmethod
    def listed(cls, entry: str) -> Destination:
        """The destination that an entry of the settings names; `private+http://…` may be at any address."""
        url = entry.removeprefix(_PRIVATE)
        try:
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
            host = (parts.hostname or "").encode("idna" if not (parts.hostname or "").isascii() else "ascii").decode()
        except ValueError:
            raise Malformed(f'"{entry}" is not the URL of a service') from None
        is_plain = url.isprintable() and " " not in url and not (parts.username or parts.password or parts.fragment)
        if parts.scheme not in ("http", "https") or not host or not is_plain or not parts.path.isascii():
            raise Malformed(
                f'"{entry}" is not the URL of a service; write http(s)://host/path, without user or fragment'
            )
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(url, host, port, target, parts.scheme == "https", entry.startswith(_PRIVATE))

    @property
    def authority(self) -> str:
        """The Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_secure else 80) else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Received:
    """A whole answer."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Budget:
    """Bytes that may still come, for several requests together."""

    limit: int
    spent: int = 0

    def spend(self, size: int) -> None:
        self.spent += size
        if self.spent > self.limit:
            raise TooLarge(f"what other endpoints answered is larger than {self.limit} bytes; ask them for less")


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, and not one of ours in another form."""
    ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        elif ip in _NAT64:
            ip = IPv4Address(int(ip) & 0xFFFFFFFF)
        else:
            return ip in _PUBLIC_V6 and ip.is_global and not any(ip in special for special in _SPECIAL_V6)
    is_special = ip.is_multicast or ip.is_reserved or any(ip in special for special in _SPECIAL_V4)
    return ip.is_global and not is_special


class Egress:
    """Sends requests; many at a time."""

    def __init__(self) -> None:
        # Its own threads: a name server that does not answer must not hold up the work of others.
        self._resolving = ThreadPoolExecutor(4, thread_name_prefix="resolve")

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def close(self) -> None:
        self._resolving.shutdown(wait=False, cancel_futures=True)

    async def get(self, to: Destination, *, accept: str, budget: Budget) -> Received:
        """Reads what is there to its end; ServiceFailed unless that succeeds, whatever its status."""
        return await self._sent(to, "GET", None, accept, budget)

    async def post(self, to: Destination, form: bytes, *, accept: str, budget: Budget) -> Received:
        """Posts a form and reads the answer to its end; ServiceFailed unless that succeeds, whatever its status."""
        return await self._sent(to, "POST", form, accept, budget)

    async def _sent(self, to: Destination, method: str, form: bytes | None, accept: str, budget: Budget) -> Received:
        try:
            reader, writer = await self._connected(to)
        except ssl.SSLError as error:
            raise _failed(to, f"its certificate or TLS is not right: {error.reason or error}") from None
        except OSError as error:
            raise _failed(to, f"it cannot be reached: {error.strerror or type(error).__name__}") from None
        try:
            headers = {
                "Host": to.authority,
                "User-Agent": _AGENT,
                "Accept": accept,
                "Accept-Encoding": "identity",
                "Connection": "close",
            }
            if form is not None:
                headers |= {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(form))}
            request = h11.Request(method=method, target=to.target, headers=list(headers.items()))
            return await _exchanged(reader, writer, to, request, form, budget)
        except (OSError, h11.RemoteProtocolError) as error:
            raise _failed(to, f"its answer broke off or is no HTTP: {error or type(error).__name__}") from None
        finally:
            writer.transport.abort()

    async def _connected(self, to: Destination) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        loop = asyncio.get_running_loop()
        resolve = partial(socket.getaddrinfo, to.host, to.port, type=socket.SOCK_STREAM)
        found = await loop.run_in_executor(self._resolving, resolve)
        for *_, place in found:
            if not to.may_be_private and not is_public(str(place[0])):
                raise _failed(to, f"its name leads to {place[0]}, which is not a public address")
        last: OSError = OSError(0, "its name leads nowhere")
        for family, kind, protocol, _, place in found:
            try:
                async with asyncio.timeout(_TO_CONNECT):
                    return await self._opened(to, socket.socket(family, kind, protocol), place)
            except TimeoutError:
                last = OSError(0, f"no connection within {_TO_CONNECT:g} s")
            except ssl.SSLError:
                raise
            except OSError as error:
                last = error
        raise last

    async def _opened(
        self, to: Destination, sock: socket.socket, place: Any
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to that address and no other; the name counts for the certificate alone."""
        with contextlib.ExitStack() as unless_opened:
            unless_opened.callback(sock.close)
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, place)
            tls: dict[str, Any] = {"ssl": self._tls, "server_hostname": to.host} if to.is_secure else {}
            opened = await asyncio.open_connection(sock=sock, **tls)
            unless_opened.pop_all()
            return opened


async def _exchanged(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    to: Destination,
    request: h11.Request,
    form: bytes | None,
    budget: Budget,
) -> Received:
    http = h11.Connection(h11.CLIENT)
    body = [h11.Data(form)] if form is not None else []
    writer.write(b"".join(http.send(part) or b"" for part in (request, *body, h11.EndOfMessage())))
    await writer.drain()
    status, received, content = 0, dict[str, str](), bytearray()
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await reader.read(_PART))
        elif isinstance(event, h11.Response):
            status = event.status_code
            received = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
            if received.get("content-encoding", "identity").lower() != "identity":
                raise _failed(to, f"it answered in {received['content-encoding']}, which was not asked for")
        elif isinstance(event, h11.Data):
            budget.spend(len(event.data))
            content += event.data
        elif isinstance(event, h11.EndOfMessage):
            return Received(status, received, bytes(content))
        elif not isinstance(event, h11.InformationalResponse):
            raise h11.RemoteProtocolError("it was closed too early")


def _failed(to: Destination, why: str) -> ServiceFailed:
    return ServiceFailed(f"the endpoint {to.url} was asked and failed: {why}")
