"""Lets gunicorn write to the service's log. The service logs requests itself, so gunicorn's access log stays off."""

from __future__ import annotations

import logging

from gunicorn.config import Config
from gunicorn.glogging import Logger


class ServiceLogger(Logger):
    """Passes gunicorn's own messages on to the root logger."""

    def setup(self, cfg: Config) -> None:
        super().setup(cfg)
        self.error_log.handlers[:] = []
        self.error_log.propagate = True
        self.error_log.setLevel(logging.WARNING)
