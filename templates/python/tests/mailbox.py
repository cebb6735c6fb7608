"""An SMTP server that keeps what it receives."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Mailbox(socketserver.ThreadingTCPServer):
    """Speaks as much SMTP as a client without authentication needs."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.sent: list[str] = []

    @property
    def port(self) -> int:
        port: int = self.socket.getsockname()[1]
        return port


class _Session(socketserver.StreamRequestHandler):
    server: Mailbox

    def handle(self) -> None:
        self._say("220 test")
        for line in self.rfile:
            verb = line.decode().split(" ")[0].strip().upper()
            if verb == "DATA":
                self._say("354 go on")
                self.server.sent.append("".join(self._message()))
                self._say("250 kept")
            elif verb == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 fine")

    def _message(self) -> Iterator[str]:
        for line in self.rfile:
            if line == b".\r\n":
                return
            yield line.decode().removeprefix(".")

    def _say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """Run a mailbox."""
    with Mailbox() as box:
        threading.Thread(target=box.serve_forever, args=(0.01,), daemon=True).start()
        yield box
        box.shutdown()
