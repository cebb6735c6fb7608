"""Gives every request an id and one line in the log."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Iterable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from werkzeug.wsgi import ClosingIterator

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
        start = time.perf_counter()
        given = environ.get("HTTP_X_REQUEST_ID", "")
        # The caller's id is kept, so that one id leads through all services.
        request_id = given if _valid_id.fullmatch(given) else uuid.uuid4().hex
        logs.request_id.set(request_id)
        notes: dict[str, Any] = {}
        _notes.set(notes)
        status = 0

        def respond(line: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            nonlocal status
            status = int(line.split(" ", 1)[0])
            return start_response(line, [*headers, ("X-Request-Id", request_id)], *rest)

        def done() -> None:
            path = environ.get("PATH_INFO", "").encode("latin-1").decode(errors="replace")
            facts = {
                "method": environ.get("REQUEST_METHOD", ""),
                "path": path,
                "status": status,
                "duration_ms": round((time.perf_counter() - start) * 1000, 3),
            }
            level = logging.INFO
            if path in ("/healthz", "/readyz"):
                level = logging.DEBUG  # probes would drown the rest
            if status >= 500:
                level = logging.ERROR
            log.log(level, "request", extra=facts | notes)
            logs.request_id.set("")
            _notes.set(None)

        return ClosingIterator(self._app(environ, respond), done)
