"""The queue of background work, in the project's Postgres: what is added in a transaction is there when that commits.

The queue is Procrastinate's. Its tables are in a schema of their own, which is made when it is first needed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import procrastinate
import psycopg
from packaging.version import Version
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job
from psycopg import Connection, sql

from actions.deps import Deps
from service.config import Reader

log = logging.getLogger(__name__)

_SCHEMA = "procrastinate"
_LOCK = 0x6E73656C66  # of Postgres, for the one that makes the schema

_HEARTBEAT_SECONDS = 3
_STALLED_SECONDS = 12
"""A worker that has not been heard of for so long is dead; its work is then done again."""

_RESCUE_SECONDS = 3
_POLL_SECONDS = 1
_GRACE_SECONDS = 20
_MAX_PAUSE_SECONDS = 300
_LOOK_SECONDS = 0.2

Row = tuple[Any, ...]


class Queue:
    """Takes work and does it, in the background process. A part that actions share."""

    def __init__(self, deps: Deps) -> None:
        self._db = deps.db
        self._url = deps.config.database_url
        r = Reader(deps.config.environ)
        self._concurrency = r.integer("JOB_CONCURRENCY", 2, 1, 64)
        r.finish()
        self._tasks: dict[str, tuple[Callable[..., None], int]] = {}
        self._client = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())
        self._prepared = False
        self._stopping: Callable[[], bool] = lambda: False

    @property
    def stopping(self) -> bool:
        """Whether the service is being stopped: what takes longer should leave off."""
        return self._stopping()

    def task(self, name: str, do: Callable[..., None], attempts: int = 0) -> None:
        """Say how work of this name is done, and how often it is tried while it raises; 0: until it is done.

        It may be done more than once, when the service dies in the middle.
        """
        self._tasks[name] = (do, attempts)

    def prepare(self) -> None:
        """Make the queue's tables, or bring those of an older Procrastinate up to date. Call it before `add`, outside
        of the transaction."""
        if self._prepared:
            return
        with self._db.connection() as conn:
            _make_schema(conn)
        self._prepared = True

    def add(
        self, conn: Connection[Row], name: str, work: Sequence[Mapping[str, Any]], *, lock: str = "", seconds: int = 0
    ) -> None:
        """Add work within the transaction of conn, to be done so many seconds from now at the earliest.

        Of what has the same lock one is done at a time.
        """
        conn.execute(sql.SQL("SET LOCAL search_path TO {}").format(sql.Identifier(_SCHEMA)))
        self._client.configure_task(
            name, lock=lock or None, schedule_in={"seconds": seconds} if seconds else None, connection=conn
        ).batch_defer(*(dict(arguments) for arguments in work))
        conn.execute("SET LOCAL search_path TO DEFAULT")

    def work(self, stopping: Callable[[], bool]) -> None:
        """Do what is added until stopping says so."""
        self._stopping = stopping
        while not stopping():
            try:
                self.prepare()
                asyncio.run(self._serve())
            except (psycopg.Error, ConnectorException, OSError) as e:
                log.warning("queue is out of reach", extra={"error": str(e)})
            end = time.monotonic() + 1
            while not stopping() and time.monotonic() < end:
                time.sleep(_LOOK_SECONDS)

    async def _serve(self) -> None:
        connector = procrastinate.PsycopgConnector(
            conninfo=self._url.reveal(),
            kwargs={"options": f"-c search_path={_SCHEMA}"},
            min_size=1,
            max_size=self._concurrency + 3,
            timeout=5,
        )
        app = procrastinate.App(connector=connector)
        for name, (do, attempts) in self._tasks.items():
            app.task(name=name, retry=_Again(attempts))(do)
        async with app.open_async():
            worker = asyncio.create_task(
                app.run_worker_async(
                    concurrency=self._concurrency,
                    install_signal_handlers=False,
                    delete_jobs="successful",
                    fetch_job_polling_interval=_POLL_SECONDS,
                    update_heartbeat_interval=_HEARTBEAT_SECONDS,
                    stalled_worker_timeout=_STALLED_SECONDS,
                    shutdown_graceful_timeout=_GRACE_SECONDS,
                )
            )
            rescue = asyncio.create_task(_rescue(app))
            while not (self.stopping or worker.done() or rescue.done()):
                await asyncio.sleep(_LOOK_SECONDS)
            for task in (rescue, worker):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


class _Again(procrastinate.BaseRetryStrategy):
    """Tries again after pauses that double, from one second on."""

    def __init__(self, attempts: int) -> None:
        self._attempts = attempts

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> procrastinate.RetryDecision | None:
        log.warning("work failed", extra={"work": job.task_name, "error": str(exception), **job.task_kwargs})
        if self._attempts and job.attempts + 1 >= self._attempts:
            return None
        return procrastinate.RetryDecision(retry_in={"seconds": min(2**job.attempts, _MAX_PAUSE_SECONDS)})


async def _rescue(app: procrastinate.App) -> None:
    """Put back what dead workers were doing."""
    while True:
        for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=_STALLED_SECONDS):
            with suppress(ConnectorException):  # another was faster
                await app.job_manager.retry_job(job)
                log.warning("work of a dead process is done again", extra={"work": job.task_name, **job.task_kwargs})
        await asyncio.sleep(_RESCUE_SECONDS)


def _make_schema(conn: Connection[Row]) -> None:
    """The schema's comment says which version of Procrastinate its tables are of."""
    current = metadata.version("procrastinate")
    with conn.transaction():
        conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        conn.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(_SCHEMA)))
        conn.execute(sql.SQL("SET LOCAL search_path TO {}").format(sql.Identifier(_SCHEMA)))
        (version,) = conn.execute(
            "SELECT obj_description(to_regnamespace(%s)::oid, 'pg_namespace')", (_SCHEMA,)
        ).fetchall()[0]
        if version is None:
            conn.execute(procrastinate.schema.SchemaManager.get_schema())
        elif Version(version) >= Version(current):
            return
        else:
            for migration in _migrations(Version(version), Version(current)):
                conn.execute(migration.encode())
        conn.execute(sql.SQL("COMMENT ON SCHEMA {} IS {}").format(sql.Identifier(_SCHEMA), sql.Literal(current)))


def _migrations(after: Version, until: Version) -> Iterator[str]:
    """Procrastinate names them by the version that needs them, such as 03.02.00_01_pre_batch_defer_jobs.sql."""
    folder = Path(procrastinate.schema.SchemaManager.get_migrations_path())
    for file in sorted(folder.glob("*.sql")):
        if after < Version(file.name.partition("_")[0]) <= until:
            yield file.read_text(encoding="utf-8")
