"""Serves the project's actions that are written in Python. gunicorn.conf.py says how."""

from __future__ import annotations

import os

from flask import Flask

from actions.actions_gen import all_actions
from actions.deps import Deps
from service import config, telemetry
from service.cache import Cache, open_redis
from service.config import Config
from service.health import Check
from service.mail import Mailer
from service.ratelimit import Limiter
from service.server import Options, new_server
from service.store import Database

THREADS = 8
"""How many calls one process answers at once; each may need a connection to Postgres."""


def create_app(settings: Config | None = None) -> Flask:
    """Put the parts together. Nothing is connected before it is used. Settings default to the environment."""
    settings = settings or config.load(os.environ)
    db = Database(settings.database_url, THREADS)
    redis = open_redis(settings.redis_url)
    prefix = f"{settings.project_name}:python:"
    deps = Deps(config=settings, db=db, cache=Cache(redis, prefix), mail=Mailer(settings.smtp))
    options = Options(
        admin_secret=settings.admin_secret,
        limiter=Limiter(redis, prefix, settings.rate_limit, settings.unauthorized_role),
        checks=[Check("postgres", db.ping, required=True), Check("redis", redis.ping if redis else None)],
    )
    actions = all_actions(deps)
    app = new_server(options, actions, list(deps.parts.values()))
    telemetry.trace(app, settings)
    return app
