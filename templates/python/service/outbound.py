"""Calls addresses that users chose, without letting them reach what only this service can reach.

Only https is spoken, and only public addresses are connected to: the address that is checked is the one that is
dialled, whatever a name leads to next time. Redirects are not followed and no proxy is used.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

_MAX_ANSWER_BYTES = 1 << 20
_CONNECT_SECONDS = 5.0
_REQUEST_SECONDS = 10.0
_MAX_URL = 2000
_CHUNK = 1 << 16

_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE = ipaddress.IPv6Network("::/96")


class TargetError(Exception):
    """Says what is wrong with a URL that a user chose."""


class InvalidURLError(TargetError):
    """It is no URL that can be called."""


class ForbiddenTargetError(TargetError):
    """It leads to where users must not send us."""


class DeadlineError(Exception):
    """The time is up."""


@dataclass(frozen=True)
class Answer:
    """What the other side has answered."""

    status: int
    retry_after: str
    """The header of that name, or ""."""
    body: bytes


class Outbound:
    """Calls URLs that users chose."""

    def __init__(self, allowed: str) -> None:
        """allowed is a comma-separated list of hosts that may be anywhere, and without TLS."""
        self._allowed = frozenset(host.strip().lower() for host in allowed.split(",") if host.strip())

    def check(self, url: str) -> None:
        """Raise InvalidURLError or ForbiddenTargetError for what would not be called now.

        A name that cannot be looked up passes: every connection is checked again.
        """
        parts, host, port = self._parse(url)
        if parts.query or "?" in url:
            raise InvalidURLError("it has a query")
        with suppress(OSError):
            self._resolve(parts, host, port)

    def post(self, url: str, body: bytes, headers: dict[str, str], deadline: float) -> Answer:
        """Send a POST request and read the answer, in 10 s and until deadline on the monotonic clock. Raises OSError,
        http.client.HTTPException, DeadlineError or TargetError."""
        if time.monotonic() >= deadline:
            raise DeadlineError
        deadline = min(deadline, time.monotonic() + _REQUEST_SECONDS)
        parts, host, port = self._parse(url)
        address = self._resolve(parts, host, port)
        connection = _Connection(host, port, address, deadline, tls=parts.scheme == "https")
        try:
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.getheader("Retry-After", ""), _read(connection, response))
        finally:
            connection.close()

    def _parse(self, url: str) -> tuple[SplitResult, str, int]:
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").rstrip("."), parts.port
        except ValueError:
            raise InvalidURLError("it is not a URL") from None
        if len(url) > _MAX_URL:
            raise InvalidURLError("it is too long")
        if parts.scheme not in ("http", "https") or not host or any(c.isspace() or ord(c) < 0x20 for c in url):
            raise InvalidURLError("it is not a URL")
        if parts.username is not None or parts.password is not None or "#" in url:
            raise InvalidURLError("it has a user or a fragment")
        if parts.scheme == "http" and not self._lifted(parts, host):
            raise InvalidURLError("it is not https")
        return parts, host, port or (443 if parts.scheme == "https" else 80)

    def _lifted(self, parts: SplitResult, host: str) -> bool:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        name = f"[{host}]" if ":" in host else host
        return not self._allowed.isdisjoint((host, name, f"{name}:{port}"))

    def _resolve(self, parts: SplitResult, host: str, port: int) -> tuple[Any, ...]:
        """Return the address to dial."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        if not self._lifted(parts, host):
            for *_, address in found:
                if not is_public(ipaddress.ip_address(str(address[0]).partition("%")[0])):
                    raise ForbiddenTargetError("its address is not public")
        return found[0][4]


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether anybody may reach the address, and an IPv4 address that it stands for."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and (any(address in net for net in _NAT64) or address in _COMPATIBLE):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.teredo is not None or address.is_site_local:
            return False
    return address.is_global and not address.is_multicast


class _Connection(http.client.HTTPConnection):
    """Connects to an address that was looked up before."""

    def __init__(self, host: str, port: int, address: tuple[Any, ...], deadline: float, *, tls: bool) -> None:
        super().__init__(host, port)
        self._address = address
        self._deadline = deadline
        self._tls = tls
        if tls:
            self.default_port = 443  # so that the Host header is as usual

    def connect(self) -> None:
        sock = socket.create_connection(self._address[:2], timeout=min(_CONNECT_SECONDS, self.left()))
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                sock = ssl.create_default_context().wrap_socket(sock, server_hostname=self.host)
            sock.settimeout(self.left())  # may be shorter than what the connection took
        except BaseException:
            sock.close()
            raise
        self.sock = self._open = sock

    def wait_no_longer(self) -> None:
        """Let the next read end with the time that is left."""
        self._open.settimeout(self.left())

    def left(self) -> float:
        """Return how much time is left. Raises TimeoutError when there is none."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time is up")
        return left


def _read(connection: _Connection, response: http.client.HTTPResponse) -> bytes:
    """Each read has its timeout, so one that comes in drops could take for ever without a look at the clock."""
    body = b""
    while chunk := response.read1(_CHUNK):
        body += chunk
        if len(body) > _MAX_ANSWER_BYTES:
            break
        connection.wait_no_longer()
    return body
