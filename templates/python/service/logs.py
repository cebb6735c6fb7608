"""Logging: one JSON object a line, with the id of the request that it belongs to.

Facts go into `extra`: `log.info("user registered", extra={"user_id": user.id})`.
"""

from __future__ import annotations

import logging
import sys
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


def setup(level: int, stream: TextIO | None = None) -> None:
    """Send everything that is logged to standard output, or to stream."""
    handler = logging.StreamHandler(stream or sys.stdout)
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
