"""Traces over OTLP (http/protobuf), when OTEL_EXPORTER_OTLP_ENDPOINT is set. OpenTelemetry is loaded only then.

Its other variables, OTEL_*, work as everywhere.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from flask import Flask
from werkzeug.wsgi import ClosingIterator

from service.config import Config

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from opentelemetry.trace import Tracer

_PROBES = ("/healthz", "/readyz")


def trace(app: Flask, config: Config) -> None:
    """Let the application report its calls, if the environment says where to."""
    if _wanted(config.environ):
        from opentelemetry import propagate  # noqa: F401 # loaded before gunicorn forks, so that processes share it

        app.wsgi_app = _Traced(app.wsgi_app, config)  # type: ignore[method-assign] # as Flask's documentation has it


def _wanted(environ: Mapping[str, str]) -> bool:
    target = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    disabled = environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return bool(target) and not disabled and environ.get("OTEL_TRACES_EXPORTER", "otlp") != "none"


class _Tracers:
    """Each process's own tracer: its exporter is a thread, which a fork does not copy."""

    def __init__(self, config: Config) -> None:
        self._name = config.environ.get("OTEL_SERVICE_NAME") or f"{config.project_name}-python"
        self._tracers: dict[int, Tracer] = {}
        self._lock = threading.Lock()

    def get(self) -> Tracer:
        with self._lock:
            tracer = self._tracers.get(os.getpid())
            if tracer is None:
                tracer = self._tracers[os.getpid()] = self._start()
            return tracer

    def _start(self) -> Tracer:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        provider = TracerProvider(resource=Resource.create({"service.name": self._name}))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        return provider.get_tracer("service")


class Spans:
    """Spans of work that a call has queued, within the call's own."""

    def __init__(self, config: Config) -> None:
        self._tracers = _Tracers(config) if _wanted(config.environ) else None

    def parent(self) -> str:
        """Return what is to be queued with the work: the call's traceparent, or "" where nothing is traced."""
        if self._tracers is None:
            return ""
        from opentelemetry import propagate

        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        return carrier.get("traceparent", "")

    @contextmanager
    def span(self, name: str, parent: str, attributes: Mapping[str, str | int]) -> Iterator[None]:
        """Do the block in a span: a span of an error when it raises."""
        if self._tracers is None:
            yield
            return
        from opentelemetry import propagate

        context = propagate.extract({"traceparent": parent})
        tracer = self._tracers.get()
        with tracer.start_as_current_span(name, context, attributes=attributes, record_exception=False):
            yield


class _Traced:
    """Wraps a WSGI application: each call is a span, within that of the caller (traceparent)."""

    def __init__(self, app: WSGIApplication, config: Config) -> None:
        self._app = app
        self._tracers = _Tracers(config)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        from opentelemetry import propagate, trace
        from opentelemetry.trace import SpanKind, StatusCode

        path, method = environ.get("PATH_INFO", ""), environ.get("REQUEST_METHOD", "")
        if path in _PROBES:
            return self._app(environ, start_response)
        carrier = {
            key.removeprefix("HTTP_").replace("_", "-").lower(): value
            for key, value in environ.items()
            if key.startswith("HTTP_")
        }
        # Only the paths of actions are known to be few: a span's name must not hold what a stranger made up.
        route = path if path.startswith("/actions/") else ""
        span = self._tracers.get().start_span(
            f"{method} {route}".strip(),
            propagate.extract(carrier),
            SpanKind.SERVER,
            {"http.request.method": method, "url.path": path, "url.scheme": environ.get("wsgi.url_scheme", "")},
        )

        def respond(line: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            status = int(line.split(" ", 1)[0])
            span.set_attribute("http.response.status_code", status)
            if status == 404:
                span.update_name(method)
            elif route:
                span.set_attribute("http.route", route)
            if status >= 500:
                span.set_status(StatusCode.ERROR)
            return start_response(line, headers, *rest)

        with trace.use_span(span, end_on_exit=False):
            try:
                return ClosingIterator(self._app(environ, respond), span.end)
            except BaseException:
                span.end()
                raise
