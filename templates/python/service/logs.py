"""Logging: one JSON object a line, with the id of the request that it belongs to.

Facts go into `extra`: `log.info("user registered", extra={"user_id": user.id})`.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from typing import TextIO

from pydantic_core import to_json

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that this thread serves, or ""."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


@lru_cache(maxsize=2)
def _second(since_1970: int) -> str:
    """Write a point in time, which many lines share."""
    return datetime.fromtimestamp(since_1970, UTC).strftime("%Y-%m-%dT%H:%M:%S")


class JSONFormatter(logging.Formatter):
    """Writes a record as a JSON object. An exception becomes `error`, and the way to it `stack`."""

    def format(self, record: logging.LogRecord) -> str:
        level = "WARN" if record.levelno == logging.WARNING else record.levelname
        line: dict[str, object] = {
            "time": f"{_second(int(record.created))}.{int(record.msecs):03}Z",
            "level": level,
            "msg": record.getMessage(),
        }
        line.update({key: value for key, value in vars(record).items() if key not in _STANDARD})
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            line["error"] = f"{type(error).__name__}: {error}"
            line["stack"] = self.formatException(record.exc_info)
        if current := request_id.get():
            line["request_id"] = current
        return to_json(line, fallback=str, bytes_mode="base64").decode()


_FLUSH_SECONDS = 0.01
"""How long a line may wait for others. A process that is killed loses that much of its log at most."""


class LineHandler(logging.Handler):
    """Writes lines together that come close to each other. Warnings and worse do not wait.

    To write each line alone costs a busy service more than to make it: other threads take over with every write.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._start()
        os.register_at_fork(before=self.acquire, after_in_parent=self.release, after_in_child=self._start)

    def _start(self) -> None:
        # A new process has no thread yet, and its parent writes what waits.
        self._lines: list[str] = []
        self._waiting = threading.Event()
        self._writer: threading.Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line. logging holds the handler's lock."""
        try:
            self._lines.append(self.format(record) + "\n")
        except Exception:  # noqa: BLE001 # as logging's own handlers do
            self.handleError(record)
            return
        if record.levelno >= logging.WARNING:
            self.flush()
        elif not self._waiting.is_set():
            self._waiting.set()
            if self._writer is None:
                self._writer = threading.Thread(target=self._write, name="log", daemon=True)
                self._writer.start()

    def _write(self) -> None:
        never = threading.Event()
        while self._waiting.wait():
            never.wait(_FLUSH_SECONDS)
            self.flush()

    def flush(self) -> None:
        """Write what waits. logging does so at the end of the program, too."""
        self.acquire()
        try:
            self._waiting.clear()
            lines, self._lines = self._lines, []
            if lines:
                self._stream.write("".join(lines))
                self._stream.flush()
        except (OSError, ValueError):
            return  # where it could be told is what failed
        finally:
            self.release()


def setup(level: int, stream: TextIO | None = None) -> None:
    """Send everything that is logged to standard output, or to stream."""
    handler = LineHandler(stream or sys.stdout)
    handler.setFormatter(JSONFormatter())
    # A line does not say which source line, thread or process wrote it, so nobody has to find out:
    # https://docs.python.org/3/howto/logging.html#optimization.
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("asyncio", "gunicorn", "procrastinate", "psycopg", "stripe", "urllib3", "werkzeug"):
        # What these say below a warning is of their own affairs.
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
