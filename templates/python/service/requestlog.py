"""Gives every request an id and one line in the log."""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from service import logs

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger("service.request")

# Keeps what a stranger chose from forging log lines or growing them without bound.
_valid_id = re.compile(r"[A-Za-z0-9_.-]{1,128}")

_notes: ContextVar[dict[str, Any] | None] = ContextVar("notes", default=None)


def note(**facts: str) -> None:
    """Add what is known of the current request to its log line. Empty texts are left out."""
    notes = _notes.get()
    if notes is not None:
        notes.update({key: value for key, value in facts.items() if value})


class RequestLog:
    """Wraps a WSGI application. It logs the path without the query, which may hold a token."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        answer = _Answer(environ, start_response)
        answer.chunks = self._app(environ, answer.start)
        return answer


class _Answer:
    """The answer to a request, which is logged when it has been sent."""

    chunks: Iterable[bytes] = ()

    def __init__(self, environ: WSGIEnvironment, start_response: StartResponse) -> None:
        self._began = time.perf_counter()
        self._environ = environ
        self._start_response = start_response
        self._status = 0
        given = environ.get("HTTP_X_REQUEST_ID", "")
        # The caller's id is kept, so that one id leads through all services. A new one has to differ, not to be secret.
        self._id = given if _valid_id.fullmatch(given) else f"{random.getrandbits(128):032x}"
        logs.request_id.set(self._id)
        self._notes: dict[str, Any] = {}
        _notes.set(self._notes)

    def start(self, line: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        self._status = int(line.split(" ", 1)[0])
        return self._start_response(line, [*headers, ("X-Request-Id", self._id)], *rest)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.chunks)

    def close(self) -> None:
        try:
            if close := getattr(self.chunks, "close", None):
                close()
        finally:
            self._log()

    def _log(self) -> None:
        path = self._environ.get("PATH_INFO", "").encode("latin-1").decode(errors="replace")
        facts = {
            "method": self._environ.get("REQUEST_METHOD", ""),
            "path": path,
            "status": self._status,
            "duration_ms": round((time.perf_counter() - self._began) * 1000, 3),
        }
        level = logging.INFO
        if path in ("/healthz", "/readyz"):
            level = logging.DEBUG  # probes would drown the rest
        if self._status >= 500:
            level = logging.ERROR
        log.log(level, "request", extra=facts | self._notes)
        logs.request_id.set("")
        _notes.set(None)
