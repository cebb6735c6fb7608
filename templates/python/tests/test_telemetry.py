"""Traces."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from flask import Flask
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from service import telemetry
from service.config import Config
from service.secret import NO_SECRET, Secret
from service.server import Options, new_server

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Collector(ThreadingHTTPServer):
    """Receives spans."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Call)
        self.received: Queue[tuple[str, ExportTraceServiceRequest]] = Queue()


class _Call(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        request = ExportTraceServiceRequest.FromString(self._body())
        self.server.received.put((self.path, request))
        self.send_response(200)
        self.end_headers()

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture(name="collector")
def run_collector() -> Iterator[Collector]:
    with Collector() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def new_app(environ: dict[str, str]) -> Flask:
    config = Config(admin_secret=Secret("s"), database_url=NO_SECRET, project_name="shop", environ=environ)
    app = new_server(Options(admin_secret=config.admin_secret), [])
    telemetry.trace(app, config)
    return app


def trace_to(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the environment of a service that sends its spans to the collector."""
    target = f"http://127.0.0.1:{collector.server_port}"
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": target, "OTEL_BSP_SCHEDULE_DELAY": "10"}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return environ


def test_spans(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    client = new_app(trace_to(collector, monkeypatch)).test_client()
    assert client.get("/healthz").status_code == 200
    headers = {"X-Hasura-Admin-Secret": "s", "traceparent": PARENT}
    assert client.post("/actions/none", headers=headers, buffered=True).status_code == 404
    path, request = collector.received.get(timeout=60)
    assert path == "/v1/traces"
    (resource,) = request.resource_spans
    assert {a.key: a.value.string_value for a in resource.resource.attributes}["service.name"] == "shop-python"
    (span,) = resource.scope_spans[0].spans
    facts: dict[str, Any] = {a.key: a.value.int_value or a.value.string_value for a in span.attributes}
    assert (span.name, span.trace_id.hex(), span.parent_span_id.hex()) == ("POST", PARENT[3:35], PARENT[36:52])
    assert facts == {
        "http.request.method": "POST", "url.path": "/actions/none", "url.scheme": "http",
        "http.response.status_code": 404,
    }  # fmt: skip


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_off(environ: dict[str, str]) -> None:
    assert type(new_app(environ).wsgi_app) is type(new_app({}).wsgi_app)


def test_costs_nothing_when_off() -> None:
    """Neither OpenTelemetry nor what only some actions need is loaded at the start."""
    code = (
        "import sys; from app import create_app; create_app(); "
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'opentelemetry', 'stripe', 'PIL', 'minio', 'Crypto'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=True,
        env={"DATABASE_URL": "postgres://127.0.0.1/x", "HASURA_ADMIN_SECRET": "s", "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
