"""Does background jobs: tries again with growing pauses, and gives up after JOB_MAX_ATTEMPTS."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import Connection

from actions.deps import Deps
from service.config import Reader
from service.jobs import Job, Jobs
from service.queue import Queue
from service.telemetry import Spans

log = logging.getLogger(__name__)

_TASK = "job"
_MAX_BACKOFF_SECONDS = 3600

_STEP_SECONDS = 0.2
"""The table is told of progress no more often than that, and asked whether the job has been cancelled."""

HEARTBEAT_SECONDS = 3.0
"""How often a worker says that it is at a job, also between two steps, and learns whether it still should be."""

_FAILED = "The job failed"
_INTERRUPTED = "The job was interrupted too often"


class JobFailedError(Exception):
    """Says to the user why a job cannot be done; of any other exception the user learns nothing."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        """final: another attempt would fail too."""
        super().__init__(message)
        self.final = final


class JobCancelledError(Exception):
    """The job is not the worker's any more: it was cancelled, or the worker given up for dead."""


class ServiceStoppingError(Exception):
    """The service is being stopped; the job goes on after the restart."""


class Run:
    """One attempt at a job."""

    def __init__(self, job: Job, jobs: Jobs, stopping: Callable[[], bool]) -> None:
        self.job = job
        self._jobs = jobs
        self._stopping = stopping
        self._told = time.monotonic()
        self._lost = False

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Say again and again that the worker is at the job while the block runs."""
        ended = threading.Event()
        beat = threading.Thread(target=self._beat, args=(ended,), daemon=True)
        beat.start()
        try:
            yield
        finally:
            ended.set()
            beat.join()

    def _beat(self, ended: threading.Event) -> None:
        while not (self._lost or ended.wait(HEARTBEAT_SECONDS)):
            try:
                self._lost = not self._jobs.progress(self.job, None)
            except psycopg.Error as e:
                log.warning("no heartbeat", extra={"job_id": self.job.id, "error": str(e)})

    @contextmanager
    def failing(self, message: str) -> Iterator[None]:
        """Say to the user no more than this when the block fails."""
        try:
            yield
        except (JobFailedError, JobCancelledError, ServiceStoppingError):
            raise
        except Exception as e:
            raise JobFailedError(message) from e

    def step(self, done: int, total: int) -> None:
        """Say how much of the work is done. Raises when the work is to be left off; call it often."""
        if self._stopping():
            raise ServiceStoppingError
        if self._lost:
            raise JobCancelledError
        now = time.monotonic()
        if now - self._told < _STEP_SECONDS:
            return
        self._told = now
        percent = min(99, done * 100 // total) if total > 0 else 0
        if not self._jobs.progress(self.job, percent):
            raise JobCancelledError


Work = Callable[[Run], str]
"""Does a job and returns where its result lies in the storage. It may be done again from the start at any time."""


class JobWork:
    """Queues jobs and does them. A part that actions share."""

    def __init__(self, deps: Deps) -> None:
        self._db = deps.db
        self._jobs = Jobs(deps.db)
        self._spans = Spans(deps.config)
        r = Reader(deps.config.environ)
        self._max_attempts = r.integer("JOB_MAX_ATTEMPTS", 5, 1, 100)
        self._backoff = r.integer("JOB_BACKOFF_SECONDS", 1, 0, 3600)
        r.finish()
        self._kinds: dict[str, Work] = {}
        self._queue = deps.part(Queue)
        self._queue.task(_TASK, self._do)

    def register(self, kind: str, work: Work) -> None:
        """Say how jobs of a kind are done."""
        self._kinds[kind] = work

    def prepare(self) -> None:
        """Make the queue ready. Call it before the transaction of `add`."""
        self._queue.prepare()

    def add(self, conn: Connection[Any], kind: str, user_id: str, payload: Mapping[str, Any]) -> Job:
        """Add a job in the transaction of conn. An empty user_id makes it the admin's."""
        job = self._jobs.add(conn, kind, user_id, payload, self._max_attempts)
        self._enqueue(conn, job, self._spans.parent())
        return job

    def _enqueue(self, conn: Connection[Any], job: Job, parent: str, seconds: int = 0) -> None:
        work = {"job_id": job.id} | ({"traceparent": parent} if parent else {})
        self._queue.add(conn, _TASK, [work], lock=job.id, seconds=seconds)

    def _do(self, job_id: str, traceparent: str = "") -> None:
        job = self._jobs.claim(job_id)
        if job is None:
            if self._jobs.give_up(job_id, _INTERRUPTED):
                log.error("job given up", extra={"job_id": job_id})
            return
        facts = {"job_id": job.id, "kind": job.kind, "attempt": job.attempts}
        try:
            run = Run(job, self._jobs, lambda: self._queue.stopping)
            attributes: dict[str, str | int] = {"job.id": job.id, "job.attempt": job.attempts}
            with self._spans.span(f"job {job.kind}", traceparent, attributes), run.beating():
                result_key = self._kinds[job.kind](run)
            if self._jobs.succeed(job, result_key):
                log.info("job done", extra=facts)
        except JobCancelledError:
            log.info("job left off", extra=facts)
        except ServiceStoppingError:
            self._again(job, traceparent, 0, counted=False)
        except Exception as e:
            final = isinstance(e, JobFailedError) and e.final
            if job.attempts < job.max_attempts and not final:
                seconds = min(self._backoff * 2 ** (job.attempts - 1), _MAX_BACKOFF_SECONDS)
                log.warning("job tried again", extra=facts | {"error": str(e.__cause__ or e), "seconds": seconds})
                self._again(job, traceparent, seconds, counted=True)
                return
            log.exception("job given up", extra=facts)
            self._jobs.fail(job, str(e) if isinstance(e, JobFailedError) else _FAILED)

    def _again(self, job: Job, parent: str, seconds: int, *, counted: bool) -> None:
        with self._db.connection() as conn, conn.transaction():
            if self._jobs.requeue(conn, job, counted=counted):
                self._enqueue(conn, job, parent, seconds)
