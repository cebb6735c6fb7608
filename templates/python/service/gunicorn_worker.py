"""gunicorn's processes: those that answer calls, and the one that works in the background.

gunicorn starts and watches them all alike: whichever dies is replaced, and all are stopped together.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.workers.gthread import ThreadWorker

from service.action import HasWork
from service.server import background_work

log = logging.getLogger(__name__)

_SMALL_BODY_BYTES = 1 << 14

_BEAT_SECONDS = 0.1
"""How often the background process looks whether it is to go on."""


def add_background(arbiter: Arbiter) -> None:
    """Let gunicorn run one process more where the application has background work. For its hooks on_starting and
    on_reload."""
    if _background(arbiter.app):
        arbiter.cfg.set("workers", arbiter.cfg.workers + 1)
        arbiter.num_workers = arbiter.cfg.workers


def assign(arbiter: Arbiter, worker: ServiceWorker) -> None:
    """Decide what a process that is about to start will do. For gunicorn's hook pre_fork."""
    # After a reload the processes of the former configuration live on for a while.
    fellows = [w for w in arbiter.WORKERS.values() if w.cfg is arbiter.cfg]
    if _background(arbiter.app):
        worker.background = not any(isinstance(w, ServiceWorker) and w.background for w in fellows)


def _background(application: BaseApplication) -> list[HasWork]:
    app = application.wsgi()
    return background_work(app) if isinstance(app, Flask) else []


def _is_large(environ: dict[str, Any]) -> bool:
    """Whether the request's body may be more than gunicorn reads for the sake of the connection."""
    return int(environ.get("CONTENT_LENGTH") or 0) > _SMALL_BODY_BYTES or "HTTP_TRANSFER_ENCODING" in environ


class ServiceWorker(ThreadWorker):
    """Answers calls in threads, or works in the background."""

    background = False

    def load_wsgi(self) -> None:
        super().load_wsgi()
        app: Any = self.wsgi

        # gunicorn closes a connection without a word when much of the body was not read.
        def hang_up(environ: Any, start_response: Any) -> Any:
            if not _is_large(environ):
                return app(environ, start_response)

            def respond(status: str, *rest: Any) -> Any:
                if status[0] in "45":
                    start_response.__self__.force_close()  # it is a method of gunicorn's response
                return start_response(status, *rest)

            return app(environ, respond)

        self.wsgi = hang_up

    def run(self) -> None:
        if not self.background:
            super().run()
            return
        threads = [threading.Thread(target=self._work, args=(work,), daemon=True) for work in _background(self.app)]
        for thread in threads:
            thread.start()
        log.info("working in the background", extra={"pid": self.pid})
        while self.alive and self.is_parent_alive() and all(thread.is_alive() for thread in threads):
            self.notify()
            time.sleep(_BEAT_SECONDS)
        self.alive = False
        deadline = time.monotonic() + self.cfg.graceful_timeout
        while any(thread.is_alive() for thread in threads) and time.monotonic() < deadline:
            self.notify()
            time.sleep(_BEAT_SECONDS / 2)

    def _work(self, work: HasWork) -> None:
        try:
            work.work(lambda: not self.alive)
        except Exception:
            log.exception("background work failed")
