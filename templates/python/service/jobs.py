"""What became of background jobs, in Postgres.

The table is the truth about a job, whatever runtime works on it. A worker that has begun the nth attempt may change the
job only as long as it is RUNNING in that attempt: so one that was cancelled, or given up for dead, changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb
from pydantic import BaseModel, ConfigDict

from service.session import is_uuid
from service.store import Database

RUNTIME = "python"

QUEUED = "QUEUED"
RUNNING = "RUNNING"
SUCCEEDED = "SUCCEEDED"
FAILED = "FAILED"
CANCELLED = "CANCELLED"

Row = tuple[Any, ...]

_COLUMNS = (
    "id::text, kind, user_id, payload, status, progress, attempts, max_attempts, result_key, error, created_at, "
    "finished_at"
)


class Job(BaseModel):
    """A job as the table has it."""

    model_config = ConfigDict(frozen=True)

    id: str
    kind: str
    user_id: str | None
    """Whose job it is; None: the admin's."""
    payload: dict[str, Any]
    status: str
    progress: int
    """In percent."""
    attempts: int
    """How often a worker has begun."""
    max_attempts: int
    result_key: str | None
    """Where the result lies in the storage."""
    error: str | None
    """For the user who asked for the job."""
    created_at: datetime
    finished_at: datetime | None


class Jobs:
    """Reads and changes jobs."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def find(self, job_id: str) -> Job | None:
        """Return the job with this id, if there is one."""
        if not is_uuid(job_id):
            return None
        with self._db.connection() as conn:
            return _one(conn, f"SELECT {_COLUMNS} FROM public.jobs WHERE id = %s::uuid", job_id)  # noqa: S608 # a constant

    def cancel(self, job_id: str) -> Job | None:
        """Cancel the job unless it has finished, and return it then. Its worker, if any, notices at its next step."""
        with self._db.connection() as conn:
            return _one(
                conn,
                "UPDATE public.jobs SET status = 'CANCELLED', finished_at = now(), updated_at = now() "  # noqa: S608 # a constant
                f"WHERE id = %s::uuid AND status IN ('QUEUED', 'RUNNING') RETURNING {_COLUMNS}",
                job_id,
            )

    def add(self, conn: Connection[Row], kind: str, user_id: str, payload: Mapping[str, Any], max_attempts: int) -> Job:
        """Add a job of the user, or of the admin where user_id is empty, in the transaction of conn."""
        job = _one(
            conn,
            "INSERT INTO public.jobs (kind, user_id, payload, max_attempts, runtime) "  # noqa: S608 # a constant
            f"VALUES (%s, %s, %s, %s, %s) RETURNING {_COLUMNS}",
            kind, user_id or None, Jsonb(payload), max_attempts, RUNTIME,
        )  # fmt: skip
        assert job is not None  # noqa: S101 # what was inserted is returned
        return job

    def claim(self, job_id: str) -> Job | None:
        """Begin an attempt, unless the job has finished or had its last. One that is RUNNING has lost its worker."""
        with self._db.connection() as conn:
            return _one(
                conn,
                "UPDATE public.jobs SET status = 'RUNNING', attempts = attempts + 1, progress = 0, "  # noqa: S608 # a constant
                "started_at = coalesce(started_at, now()), updated_at = now() "
                "WHERE id = %s::uuid AND status IN ('QUEUED', 'RUNNING') AND attempts < max_attempts "
                f"RETURNING {_COLUMNS}",
                job_id,
            )

    def give_up(self, job_id: str, error: str) -> bool:
        """End a job whose worker was lost in the last attempt."""
        with self._db.connection() as conn:
            return (
                conn.execute(
                    "UPDATE public.jobs SET status = 'FAILED', error = %s, finished_at = now(), updated_at = now() "
                    "WHERE id = %s::uuid AND status IN ('QUEUED', 'RUNNING') AND attempts >= max_attempts",
                    (error, job_id),
                ).rowcount
                == 1
            )

    def progress(self, job: Job, percent: int | None) -> bool:
        """Say how far the attempt is; None: only that the worker is at it. False: the job is not the worker's any
        more."""
        with self._db.connection() as conn:
            return self._change(conn, job, "progress = coalesce(%s, progress)", percent)

    def succeed(self, job: Job, result_key: str) -> bool:
        """End the job well."""
        with self._db.connection() as conn:
            return self._change(
                conn, job, "status = 'SUCCEEDED', progress = 100, result_key = %s, error = NULL, finished_at = now()",
                result_key,
            )  # fmt: skip

    def fail(self, job: Job, error: str) -> bool:
        """Give the job up."""
        with self._db.connection() as conn:
            return self._change(conn, job, "status = 'FAILED', error = %s, finished_at = now()", error)

    def requeue(self, conn: Connection[Row], job: Job, *, counted: bool) -> bool:
        """End the attempt for another one, in the transaction of conn. An attempt that was cut short is not counted."""
        return self._change(conn, job, "status = 'QUEUED', attempts = attempts - %s", 0 if counted else 1)

    def _change(self, conn: Connection[Row], job: Job, change: str, value: object) -> bool:
        return (
            conn.execute(
                f"UPDATE public.jobs SET {change}, updated_at = now() "  # noqa: S608 # constants
                "WHERE id = %s::uuid AND status = 'RUNNING' AND attempts = %s".encode(),
                (value, job.id, job.attempts),
            ).rowcount
            == 1
        )


def _one(conn: Connection[Row], query: str, *args: object) -> Job | None:
    with conn.cursor(row_factory=class_row(Job)) as cursor:
        return cursor.execute(query.encode(), args).fetchone()
