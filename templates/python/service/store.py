"""The service's Postgres pool. What is kept there belongs to the modules that use it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import Connection
from psycopg_pool import ConnectionPool, PoolTimeout

from service.secret import Secret

CONNECT_SECONDS = 5
"""How long one attempt to connect may take, and how long a call waits for a connection."""

STATEMENT_SECONDS = 20
"""How long one statement may run: the engine waits 30 s for a handler by default."""

_MAX_IDLE_SECONDS = 300
_PATIENCE_SECONDS = 0.1


class Database:
    """A pool that connects when it is first used.

    So the service starts while Postgres is still down, recovers when it comes back, and can be forked before. While
    Postgres is down, a call fails at once instead of waiting for a connection. Connections commit by themselves: use
    `with conn.transaction()` around what belongs together.
    """

    def __init__(self, url: Secret, max_size: int) -> None:
        """Raise ValueError for a connection string that cannot be read."""
        try:
            psycopg.conninfo.conninfo_to_dict(url.reveal())
        except psycopg.ProgrammingError:
            # The cause quotes the password.
            raise ValueError("DATABASE_URL is not a valid Postgres connection string") from None
        self._lock = threading.Lock()
        self._opened = False
        self._failures = 0
        self._pool: ConnectionPool[Connection[tuple[Any, ...]]] = ConnectionPool(
            url.reveal(),
            kwargs={"autocommit": True, "connect_timeout": CONNECT_SECONDS},
            min_size=0,
            max_size=max_size,
            max_idle=_MAX_IDLE_SECONDS,
            reconnect_timeout=0,  # the next call tries again, with no pause that outlasts an outage
            reconnect_failed=self._failed,
            configure=_configure,
            open=False,
            name="postgres",
        )

    def _failed(self, _pool: object) -> None:
        self._failures += 1

    @contextmanager
    def connection(self, timeout: float = CONNECT_SECONDS) -> Iterator[Connection[tuple[Any, ...]]]:
        """Lend a connection. Raises psycopg.OperationalError when there is none."""
        conn = self._take(timeout)
        try:
            yield conn
        finally:
            self._pool.putconn(conn)

    def _take(self, timeout: float) -> Connection[tuple[Any, ...]]:
        with self._lock:
            if not self._opened:
                self._pool.open()
                self._opened = True
        failures, deadline = self._failures, time.monotonic() + timeout
        while True:
            try:
                conn = self._pool.getconn(_PATIENCE_SECONDS)
            except PoolTimeout:
                if self._failures == failures and time.monotonic() < deadline:
                    continue
                raise
            try:
                ConnectionPool.check_connection(conn)
            except psycopg.Error:
                # Postgres has been restarted: what else lies idle is as dead as this one.
                self._pool.putconn(conn)
                self._pool.drain()
                continue
            return conn

    def ping(self) -> None:
        """Raise when Postgres does not answer."""
        with self.connection(timeout=2) as conn:
            conn.execute("SELECT 1")

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()


def _configure(conn: Connection[Any]) -> None:
    conn.execute(f"SET statement_timeout = '{STATEMENT_SECONDS}s'")


def is_duplicate(error: psycopg.Error, constraint: str) -> bool:
    """Whether error is a violation of the named unique index or constraint."""
    return isinstance(error, psycopg.errors.UniqueViolation) and error.diag.constraint_name == constraint
