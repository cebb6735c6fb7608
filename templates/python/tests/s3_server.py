"""A server with the shapes of S3's answers, which keeps objects in memory."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit


class S3Server(ThreadingHTTPServer):
    """Has no bucket at first."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Call)
        self.buckets: set[str] = set()
        self.objects: dict[str, tuple[str, bytes]] = {}
        """Content types and contents by path."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Call(BaseHTTPRequestHandler):
    server: S3Server
    protocol_version = "HTTP/1.1"

    def _path(self) -> tuple[str, str]:
        path = unquote(urlsplit(self.path).path)
        return path, path.split("/")[1]

    def do_PUT(self) -> None:
        path, bucket = self._path()
        data = self._body()
        assert self.headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=access/")
        if path in (f"/{bucket}", f"/{bucket}/"):
            self.server.buckets.add(bucket)
        elif bucket not in self.server.buckets:
            self._error("NoSuchBucket")
            return
        else:
            self.server.objects[path] = (self.headers["Content-Type"], data)
        self._say(200, b"", {"ETag": '"x"'})

    def _body(self) -> bytes:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if "aws-chunked" not in self.headers.get("Content-Encoding", ""):
            return data
        chunks = b""
        while match := re.match(rb"([0-9a-f]+)[^\r]*\r\n", data):
            size = int(match[1], 16)
            chunks += data[match.end() : match.end() + size]
            data = data[match.end() + size + 2 :]
        return chunks

    def do_GET(self) -> None:
        path, _ = self._path()
        query = parse_qs(urlsplit(self.path).query)
        assert "Authorization" in self.headers or len(query["X-Amz-Signature"][0]) == 64
        if path not in self.server.objects:
            self._error("NoSuchKey")
            return
        kind, data = self.server.objects[path]
        headers = {"Content-Type": kind, "X-Expires": query.get("X-Amz-Expires", [""])[0]}
        if wanted := query.get("response-content-disposition"):
            headers["Content-Disposition"] = wanted[0]
        self._say(200, data, headers)

    def do_DELETE(self) -> None:
        self.server.objects.pop(self._path()[0], None)
        self._say(204, b"", {})

    def _error(self, code: str) -> None:
        body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>m</Message></Error>'
        self._say(404, body.encode(), {"Content-Type": "application/xml"})

    def _say(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Run a server."""
    with S3Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()
