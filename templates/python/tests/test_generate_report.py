"""What the action generateReport promises."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from service import job_work
from tests import servers
from tests.conftest import SECRET, MakeService, Service
from tests.jobs import ADA, by, until
from tests.test_program import run
from tests.test_telemetry import PARENT, Collector, run_collector, trace_to

collector = run_collector  # the fixture

JANUARY = {"report_type": "USERS", "start_date": "2026-01-01", "end_date": "2026-01-31"}


def add_users(service: Service) -> None:
    with psycopg.connect(service.database_url) as conn:
        for name, company, day in (
            ("Ada", 'Acme, "Inc"', "2026-01-01 00:00:00+00"),
            ("=SUM(A1)", None, "2026-01-31 23:59:59+00"),
            ("Late", None, "2026-02-01 00:00:00+00"),
        ):
            conn.execute(
                "INSERT INTO users (email, password_hash, name, company, created_at) VALUES (%s, '!', %s, %s, %s)",
                (f"{name[-4:-1].lower()}x@example.com", name, company, day),
            )


def test_report(service: Service, tmp_path: Path) -> None:
    add_users(service)
    status, got = service.post("generate-report", {"input": JANUARY})
    job_id = got["job_id"]
    assert (status, got) == (
        200,
        {
            "success": True, "job_id": job_id, "status": "QUEUED", "estimated_duration": 1,
            "message": "Report queued", "errors": None, "error_code": None,
        },
    )  # fmt: skip
    assert until(service, job_id, "QUEUED").attempts == 0
    with service.working():
        job = until(service, job_id)
    assert (job.status, job.progress, job.attempts, job.kind) == ("SUCCEEDED", 100, 1, "report")
    assert job.finished_at is not None
    assert job.result_key == f"{job_id}/report.csv"
    lines = (tmp_path / job.result_key).read_bytes().decode().split("\r\n")
    assert lines[0] == "id,email,name,company,email_verified,created_at"
    assert [line.partition(",")[2] for line in lines[1:]] == [
        'adx@example.com,Ada,"Acme, ""Inc""",false,2026-01-01T00:00:00Z',
        "(a1x@example.com,'=SUM(A1),,false,2026-01-31T23:59:59Z",
        "",
    ]


def test_payments(service: Service, tmp_path: Path) -> None:
    add_users(service)
    with psycopg.connect(service.database_url) as conn:
        conn.execute(
            "INSERT INTO payments (customer_id, amount, currency, status, idempotency_key, request_hash, created_at) "
            "SELECT id, 100, 'eur', 'SUCCEEDED', 'k', '', '2026-01-05 10:00:00.5+02' FROM users WHERE name = 'Ada'"
        )
    _, got = service.post("generate-report", {"input": JANUARY | {"report_type": "PAYMENTS"}})
    with service.working():
        job = until(service, got["job_id"])
    header, row, end = (tmp_path / str(job.result_key)).read_bytes().decode().split("\r\n")
    assert header == "id,customer_id,amount,currency,status,description,created_at"
    assert row.split(",")[2:] == ["100", "eur", "SUCCEEDED", "", "2026-01-05T08:00:00Z"]
    assert end == ""


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        ({"start_date": "yesterday"}, [("start_date", "INVALID_FORMAT")]),
        (
            {"start_date": "2026-02-30", "end_date": ""},
            [("start_date", "INVALID_FORMAT"), ("end_date", "INVALID_FORMAT")],
        ),
        ({"end_date": "2025-12-31"}, [("end_date", "INVALID_RANGE")]),
        ({"report_type": None, "end_date": " 2026-01-01 "}, [("report_type", "REQUIRED_FIELD")]),
        ({"end_date": "2027-01-01"}, []),
        ({"end_date": "2027-01-02"}, [("end_date", "INVALID_RANGE")]),
    ],
)
def test_faults(service: Service, change: dict[str, str | None], faults: list[tuple[str, str]]) -> None:
    _, got = service.post("generate-report", {"input": {**JANUARY, **change}})
    assert [(e["field"], e["code"]) for e in got["errors"] or []] == faults
    assert got["error_code"] == ("VALIDATION_ERROR" if faults else None)


def test_needs_a_user(service: Service) -> None:
    assert service.post("generate-report", by("7", JANUARY))[0] == 401
    _, got = service.post("generate-report", by(ADA, JANUARY))
    assert service.one("SELECT user_id FROM jobs WHERE id::text = %s", got["job_id"]) == (ADA,)


def test_gives_up(make_service: MakeService) -> None:
    """A job that fails is tried again, and then given up."""
    service = make_service({"JOB_MAX_ATTEMPTS": "2", "JOB_BACKOFF_SECONDS": "0", "STORAGE_DIR": "/dev/null/x"})
    job_id = service.post("generate-report", {"input": JANUARY})[1]["job_id"]
    with service.working():
        job = until(service, job_id)
    assert (job.status, job.attempts, job.result_key) == ("FAILED", 2, None)
    assert job.error == "The report could not be generated"


def test_heartbeat(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that waits between two steps says that it is there, and learns that the job was cancelled."""
    monkeypatch.setattr(job_work, "HEARTBEAT_SECONDS", 0.05)
    job_id = service.post("generate-report", {"input": JANUARY})[1]["job_id"]
    with psycopg.connect(service.database_url) as held:
        held.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        with service.working():
            until(service, job_id, "RUNNING")
            beats = set[object]()
            while len(beats) < 3:
                beats |= set(service.one("SELECT updated_at FROM jobs WHERE id::text = %s", job_id))
            service.one("UPDATE jobs SET status = 'CANCELLED' WHERE id::text = %s RETURNING id", job_id)
            held.rollback()
    assert until(service, job_id).status == "CANCELLED"


def test_trace(collector: Collector, monkeypatch: pytest.MonkeyPatch, make_service: MakeService) -> None:
    """The job is part of the trace of the call that queued it."""
    service = make_service(trace_to(collector, monkeypatch))
    headers = service.headers | {"traceparent": PARENT}
    got = service.client.post(
        "/actions/generate-report", json={"input": JANUARY}, headers=headers, buffered=True
    ).get_json()
    with service.working():
        assert until(service, got["job_id"]).status == "SUCCEEDED"
    spans: dict[str, Span] = {}
    while len(spans) < 2:
        _, request = collector.received.get(timeout=60)
        spans |= {s.name: s for r in request.resource_spans for scope in r.scope_spans for s in scope.spans}
    call, job = spans["POST /actions/generate-report"], spans["job report"]
    assert (call.trace_id.hex(), call.parent_span_id.hex()) == (PARENT[3:35], PARENT[36:52])
    assert (job.trace_id, job.parent_span_id) == (call.trace_id, call.span_id)
    facts: dict[str, Any] = {a.key: a.value.int_value or a.value.string_value for a in job.attributes}
    assert facts == {"job.id": got["job_id"], "job.attempt": 1}


def test_stopped_in_the_middle(make_service: MakeService, tmp_path: Path) -> None:
    """A job that the end of the service cuts short goes on after the next start."""
    service = make_service()
    with psycopg.connect(service.database_url) as conn:
        conn.execute(
            "INSERT INTO users (email, password_hash, name, created_at) "
            "SELECT n || '@example.com', '!', 'N', '2026-01-02' FROM generate_series(1, 30000) n"
        )
    job_id = service.post("generate-report", {"input": JANUARY})[1]["job_id"]
    with service.working():
        until(service, job_id, "RUNNING", "SUCCEEDED")
    until(service, job_id, "QUEUED", "SUCCEEDED")
    with service.working():
        job = until(service, job_id)
    assert (job.status, job.attempts) == ("SUCCEEDED", 1)
    (report,) = tmp_path.glob("*/report.csv")
    assert report.read_bytes().count(b"\r\n") == 30_001


def test_killed_in_the_middle(service: Service, redis_url: str, tmp_path: Path) -> None:
    """A job whose process is killed is done by the one that takes its place, and once."""
    add_users(service)
    job_id = service.post("generate-report", {"input": JANUARY})[1]["job_id"]
    program = run(
        PORT=str(servers.free_port()), LISTEN_HOST="127.0.0.1", DATABASE_URL=service.database_url, REDIS_URL=redis_url,
        HASURA_ADMIN_SECRET=SECRET, STORAGE_DIR=str(tmp_path), PROJECT_NAME="killed", WEB_CONCURRENCY="1",
    )  # fmt: skip
    assert program.stdout is not None
    try:
        with psycopg.connect(service.database_url) as conn:
            conn.execute("LOCK TABLE users")  # the report waits for it
            pids = (json.loads(line).get("pid") for line in program.stdout)
            pid = next(pid for pid in pids if pid)
            until(service, job_id, "RUNNING")
            os.kill(pid, signal.SIGKILL)
            assert next(other for other in pids if other) != pid
        job = until(service, job_id)
        assert (job.status, job.attempts) == ("SUCCEEDED", 2)
        (report,) = tmp_path.glob("*/report.csv")
        assert report.read_bytes().count(b"\r\n") == 3
    finally:
        program.send_signal(signal.SIGTERM)
        program.communicate(timeout=120)
    assert program.returncode == 0
