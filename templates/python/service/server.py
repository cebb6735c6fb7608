"""The HTTP side of the service: it serves actions under /actions/ and tells its health."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from flask import Flask, Response, request
from pydantic_core import to_json
from werkzeug.exceptions import HTTPException

from service import errors
from service.action import Action, HasRoutes, HasWork
from service.calls import read_call, refuse_constant
from service.errors import ActionError
from service.health import Check, readiness
from service.ratelimit import Limiter
from service.requestlog import RequestLog, note
from service.secret import Secret
from service.session import Session

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 1 << 20
"""Bounds a request body: actions carry form data, not files."""

_ADMIN = "HTTP_X_HASURA_ADMIN_SECRET"
"""The header X-Hasura-Admin-Secret, as WSGI has it."""

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


@dataclass(frozen=True)
class Options:
    """What a server needs beside its actions."""

    admin_secret: Secret
    limiter: Limiter | None = None
    """None: no limit."""
    checks: list[Check] = field(default_factory=list)
    """What GET /readyz looks at."""
    max_body_bytes: int = MAX_BODY_BYTES


_MAX_DRAIN_BYTES = 64 << 20
"""How much of a body that is too large is read all the same: who is still sending does not read the answer."""


def new_server(options: Options, actions: list[Action[Any, Any]], parts: Sequence[object] = ()) -> Flask:
    """Make the application. Parts are what actions share; like handlers they may have routes and background work.

    Raises ValueError for an empty secret, and for two actions with one path.
    """
    if not options.admin_secret:
        raise ValueError("the admin secret is empty: every caller would be let in")
    server = _Server(options)
    app = Flask("service", static_folder=None)
    app.add_url_rule("/healthz", view_func=server.healthz, methods=["GET"])
    app.add_url_rule("/readyz", view_func=server.readyz, methods=["GET"])
    for rule in ("/actions/", "/actions/<path:path>"):
        app.add_url_rule(rule, view_func=server.action, methods=_METHODS, provide_automatic_options=False)
    app.register_error_handler(ActionError, server.refused)
    app.register_error_handler(HTTPException, server.not_served)
    app.register_error_handler(Exception, server.failed)
    for a in actions:
        if other := server.actions.get(a.path):
            raise ValueError(f"actions {other.name} and {a.name} have the same path /actions/{a.path}")
        server.actions[a.path] = a
    for part in (*(a.handler for a in actions), *parts):
        if isinstance(part, HasRoutes):
            part.routes(app)
        if isinstance(part, HasWork):
            server.work.append(part)
    app.extensions["service"] = server
    app.wsgi_app = RequestLog(app.wsgi_app)  # type: ignore[method-assign] # as Flask's documentation has it
    return app


def watch_stop(app: Flask, stopping: Callable[[], bool]) -> None:
    """Tell the server how to find out that it is being stopped; GET /readyz then says so."""
    app.extensions["service"].stopping = stopping


def background_work(app: Flask) -> list[HasWork]:
    """Return what the application does besides answering."""
    work: list[HasWork] = app.extensions["service"].work
    return work


class _Server:
    def __init__(self, options: Options) -> None:
        self._options = options
        self._secret = _digest(options.admin_secret.reveal().encode())
        self.actions: dict[str, Action[Any, Any]] = {}
        self.work: list[HasWork] = []
        self.stopping: Callable[[], bool] = lambda: False

    def healthz(self) -> Response:
        """Say that the process answers at all.

        It looks at nothing else, so that a database that is down does not get the service restarted in vain.
        """
        return _reply(200, {"status": "ok"})

    def readyz(self) -> Response:
        """Say whether requests should be sent here."""
        return _reply(*readiness(self._options.checks, stopping=self.stopping()))

    def action(self, path: str = "") -> Response:
        """Answer POST /actions/<path>."""
        environ = request.environ
        self._require_secret(environ)
        action = self.actions.get(path)
        if action is None:
            raise ActionError(
                f"Action {json.dumps(path, ensure_ascii=False)} is not served here", errors.NOT_FOUND, 404
            )
        note(action=action.name)
        method = environ["REQUEST_METHOD"]
        if method != "POST":
            raise ActionError(
                f"Actions are called with POST, not {method}", errors.METHOD, 405, headers={"Allow": "POST"}
            )
        # Handlers have no use for the secret.
        del environ[_ADMIN]
        call = read_call(_body(environ, action.max_body_bytes or self._options.max_body_bytes), request.headers)
        note(role=call.session.role, user_id=call.session.user_id)
        self._limit(action, call.session)
        return _reply(200, action.invoke(call))

    def _require_secret(self, environ: WSGIEnvironment) -> None:
        # Both sides are hashed first: the comparison then takes the same time whatever the length of what was sent.
        given = environ.get(_ADMIN, "").encode("latin-1", "replace")
        if not hmac.compare_digest(_digest(given), self._secret):
            raise errors.unauthorized("X-Hasura-Admin-Secret is missing or wrong")

    def _limit(self, action: Action[Any, Any], session: Session) -> None:
        """Refuse with status 429 rather than with a failed business rule.

        An answer with status 200 must have the shape of the action's output type, which is the user's own, while the
        engine passes the message of any 4xx on to its client.
        """
        if self._options.limiter is None:
            return
        wait = self._options.limiter.allow(action.path, session, frequent=action.frequent)
        if wait <= 0:
            return
        seconds = max(1, math.ceil(wait))
        raise ActionError(
            f"Too many requests. Please try again in {_duration(seconds)}.",
            errors.RATE_LIMITED,
            429,
            extensions={"code": errors.RATE_LIMITED, "retry_after": seconds},
            headers={"Retry-After": str(seconds)},
        )

    def refused(self, error: ActionError) -> Response:
        """Answer with an error that the caller may see."""
        if error.__cause__ is not None and error.status >= 500:
            log.error("action failed", exc_info=error.__cause__)
        elif error.__cause__ is not None:
            log.warning("action refused", extra={"error": f"{error}: {error.__cause__}"})
        note(error_code=error.code)
        return _reply(error.status, error.body(), error.headers)

    def failed(self, error: Exception) -> Response:
        """Log an error that is ours alone; the caller learns the request id at most."""
        log.error("action failed", exc_info=error)
        return self.refused(errors.internal())

    def not_served(self, error: HTTPException) -> Response:
        """Answer for a path or method that nothing serves, and for redirects."""
        if error.code is not None and error.code not in (404, 405):
            return Response(error.get_response(request.environ).response, error.code, error.get_headers())
        return _reply(404, {"success": False, "message": "Not found", "error_code": "NOT_FOUND", "code": "NOT_FOUND"})


def _body(environ: WSGIEnvironment, limit: int) -> bytes:
    """Read the body from gunicorn, whose stream ends where the body does."""
    stream = environ["wsgi.input"]
    try:
        data: bytes = stream.read(limit + 1)
    except (OSError, ValueError):
        raise errors.bad_request("Request body could not be read") from None
    if len(data) > limit:
        _drain(stream)
        raise ActionError(f"Request body is larger than {limit} bytes", errors.TOO_LARGE, 413)
    return data


def _drain(body: IO[bytes]) -> None:
    left = _MAX_DRAIN_BYTES
    try:
        while left > 0 and (data := body.read(1 << 16)):
            left -= len(data)
    except OSError:
        return  # nobody is there to hear the answer either


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()


def _duration(seconds: int) -> str:
    """Write seconds as "12s", "1m5s" or "2h0m0s"."""
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    text = f"{rest}s"
    if minutes or hours:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text


def _reply(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Response:
    response = Response(_encode(body) + b"\n", status, content_type="application/json; charset=utf-8")
    response.headers["X-Content-Type-Options"] = "nosniff"
    if headers:
        response.headers.update(headers)
    return response


def _encode(body: Any) -> bytes:
    """Write JSON. Raises ValueError for numbers that JSON does not have."""
    data = to_json(body, by_alias=True)
    if b"NaN" in data or b"Infinity" in data:
        json.loads(data, parse_constant=refuse_constant)  # unless they are but words of a text
    return data
