"""Jobs as tests look at them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from service.jobs import QUEUED, RUNNING, Job, Jobs
from service.secret import Secret
from service.store import Database
from tests.conftest import Service

ADA, BOB = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


def by(user_id: str, given: dict[str, Any]) -> dict[str, Any]:
    """The body of a user's call."""
    return {"input": given, "session_variables": {"x-hasura-role": "user", "x-hasura-user-id": user_id}}


@contextmanager
def jobs_of(service: Service) -> Iterator[Jobs]:
    """Open the service's table of jobs."""
    db = Database(Secret(service.database_url), 1)
    try:
        yield Jobs(db)
    finally:
        db.close()


def until(service: Service, job_id: str, *statuses: str) -> Job:
    """Wait until the job has one of these statuses, or any but QUEUED and RUNNING."""
    deadline = time.monotonic() + 120
    with jobs_of(service) as jobs:
        while True:
            job = jobs.find(job_id)
            assert job is not None
            if job.status in statuses if statuses else job.status not in (QUEUED, RUNNING):
                return job
            assert time.monotonic() < deadline, job
            time.sleep(0.02)


def add_job(service: Service, kind: str, user_id: str) -> str:
    """Add a job that nothing works on."""
    return str(
        service.one("INSERT INTO jobs (kind, user_id, runtime) VALUES (%s, %s, 'none') RETURNING id", kind, user_id)[0]
    )
