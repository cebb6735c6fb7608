"""How gunicorn runs the service: https://gunicorn.org/reference/settings/."""

from __future__ import annotations

import logging
import os
from typing import Any

from app import THREADS
from service import gunicorn_worker, logs, server
from service.config import ConfigError, load

try:
    _settings = load(os.environ)
except ConfigError as e:
    raise SystemExit(str(e)) from None
logs.setup(_settings.log_level)
_log = logging.getLogger("service")

wsgi_app = "app:create_app()"
bind = f"{_settings.listen_host}:{_settings.port}"
worker_class = gunicorn_worker.ServiceWorker
workers = int(os.environ.get("WEB_CONCURRENCY") or "2")
threads = THREADS
# Loaded once, before the workers are forked: a fault in the code is told once, and they share the memory.
preload_app = True
# Longer than any client keeps an idle connection, so that it is never closed under a request on its way.
keepalive = 120
# Handlers bound what they wait for below the 30 s that the engine waits; none is cut off.
graceful_timeout = 28
# Where a worker notes that it is alive: in memory, whatever the container's disk is.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108
logger_class = "service.gunicorn_log.ServiceLogger"
control_socket_disable = True


def on_starting(arbiter: Any) -> None:
    """Add the process that works in the background, where there is such work."""
    gunicorn_worker.add_background(arbiter)


def on_reload(arbiter: Any) -> None:
    """Add it again: the configuration has been read anew."""
    gunicorn_worker.add_background(arbiter)


def pre_fork(arbiter: Any, worker: Any) -> None:
    """Let one process be the one that works in the background."""
    gunicorn_worker.assign(arbiter, worker)


def when_ready(_arbiter: Any) -> None:
    """Say that the port is open."""
    _log.info("serving", extra={"address": bind, "env": _settings.env})


def post_worker_init(worker: Any) -> None:
    """Let the worker tell its callers when it is being stopped."""
    server.watch_stop(worker.app.wsgi(), lambda: not worker.alive)


def on_exit(_arbiter: Any) -> None:
    """Say that it is over."""
    _log.info("stopped")
