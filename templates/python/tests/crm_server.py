"""A CRM that answers as it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, dict[str, str], Any]
"""Status, headers and body; a body of None is empty."""


class CrmServer(ThreadingHTTPServer):
    """Remembers what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Call)
        self.calls: list[tuple[dict[str, str], list[dict[str, Any]]]] = []
        """Headers and contacts of every request."""
        self.reply: Callable[[int, list[dict[str, Any]]], Reply] = lambda _call, _contacts: (200, {}, None)
        """Is given the number of the call, from 1 on, and the contacts."""

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Call(BaseHTTPRequestHandler):
    server: CrmServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.path == "/api/contacts"
        self.server.calls.append((dict(self.headers), body["contacts"]))
        status, headers, answer = self.server.reply(len(self.server.calls), body["contacts"])
        data = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@contextmanager
def crm_server() -> Iterator[CrmServer]:
    """Run a server."""
    with CrmServer() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()
