"""A TCP proxy in front of a server, to take the server away and bring it back."""

from __future__ import annotations

import contextlib
import socket
import threading
from urllib.parse import parse_qs, urlsplit

from tests import servers


class Proxy:
    """Forwards connections to a server while it is up."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        if parts.scheme == "unix":
            self._target: str | tuple[str, int] = parts.path
        elif "host" in query:
            self._target = f"{query['host'][0]}/.s.PGSQL.{query['port'][0]}"
        else:
            default = 6379 if parts.scheme == "redis" else 5432
            self._target = (parts.hostname or "127.0.0.1", parts.port or default)
        self._open: list[socket.socket] = []
        # A port of the system's own choice may be an outgoing connection's when the listener comes back.
        self.port = servers.free_port()
        self._listener = self._listen(self.port)

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
                if isinstance(self._target, str):
                    server = socket.socket(socket.AF_UNIX)
                    server.connect(self._target)
                else:
                    server = socket.create_connection(self._target)
            except OSError:
                return
            self._open += [client, server]
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=_copy, args=(source, sink), daemon=True).start()

    def down(self) -> None:
        """Cut all connections and refuse new ones."""
        for s in [self._listener, *self._open]:
            with contextlib.suppress(OSError):  # the other side was faster
                s.shutdown(socket.SHUT_RDWR)
            s.close()
        self._open.clear()

    def up(self) -> None:
        """Accept connections again."""
        self._listener = self._listen(self.port)


def _copy(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return
