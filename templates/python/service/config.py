"""The service's configuration, read from the environment.

Every problem is reported at once, so that one failed start is enough to fix them all.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parseaddr
from urllib.parse import urlsplit

from service.secret import NO_SECRET, Secret

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}


class ConfigError(RuntimeError):
    """Says what is wrong with the environment, one problem a line. It names variables and never a secret value.

    Of a RuntimeError gunicorn shows the text and nothing else.
    """


@dataclass(frozen=True)
class SMTP:
    """How to send mail."""

    host: str = ""
    """SMTP_HOST; empty: mail cannot be sent, and every attempt is an error."""
    port: int = 1025
    """SMTP_PORT; 465 means TLS from the first byte."""
    user: str = ""
    """SMTP_USER; empty: no authentication."""
    password: Secret = NO_SECRET
    """SMTP_PASS."""
    sender: str = "no-reply@localhost"
    """EMAIL_FROM, such as "Shop <no-reply@shop.example>"."""


@dataclass(frozen=True)
class RateLimit:
    """How often an action may be called."""

    points: int = 5
    """RATE_LIMIT_POINTS: calls of one action by one user per duration."""
    role_points: int = 300
    """RATE_LIMIT_ROLE_POINTS: calls by all callers of one role that have no user id, together."""
    seconds: int = 60
    """RATE_LIMIT_DURATION."""


@dataclass(frozen=True)
class Config:
    """Everything the service reads from its environment."""

    admin_secret: Secret
    """What the GraphQL engine proves itself with (HASURA_ADMIN_SECRET, else HASURA_GRAPHQL_ADMIN_SECRET)."""
    database_url: Secret
    """The Postgres connection string (DATABASE_URL)."""
    redis_url: Secret = NO_SECRET
    """The Redis connection string (REDIS_URL); empty: no cache and no rate limit."""
    listen_host: str = "0.0.0.0"  # noqa: S104 # a container is reached from outside
    """The address to listen on (LISTEN_HOST)."""
    port: int = 3002
    """The TCP port to listen on (PORT)."""
    env: str = "dev"
    """ "dev", "staging", "prod" or a name of your own (ENV)."""
    log_level: int = logging.INFO
    """The least severe level that is logged (LOG_LEVEL: debug, info, warn, error)."""
    project_name: str = "app"
    """Prefixes the keys in Redis, so that projects can share one (PROJECT_NAME)."""
    public_url: str = "http://localhost:3002"
    """Where browsers reach this service, without a slash at the end (PUBLIC_URL)."""
    graphql_endpoint: str = ""
    """The engine's API, for handlers that call back (HASURA_GRAPHQL_ENDPOINT); may be empty."""
    unauthorized_role: str = "public"
    """The role of visitors who did not sign in (HASURA_GRAPHQL_UNAUTHORIZED_ROLE). The engine lets such visitors invent
    session variables, so nothing but the role is to be believed of them."""
    smtp: SMTP = SMTP()
    rate_limit: RateLimit = RateLimit()
    environ: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    """All variables, for parts of the service that have settings of their own; they read them with a `Reader`."""


def load(environ: Mapping[str, str]) -> Config:
    """Read the configuration. An empty variable counts as absent. Raises `ConfigError` with all problems."""
    r = Reader(environ)
    port = r.integer("PORT", 3002, 1, 65535)
    config = Config(
        listen_host=r.text("LISTEN_HOST", "0.0.0.0"),  # noqa: S104 # as above
        port=port,
        env=r.text("ENV", "dev"),
        log_level=r.level("LOG_LEVEL"),
        project_name=r.text("PROJECT_NAME", "app"),
        admin_secret=r.secret("HASURA_ADMIN_SECRET", "HASURA_GRAPHQL_ADMIN_SECRET"),
        graphql_endpoint=r.url("HASURA_GRAPHQL_ENDPOINT", "", "http", "https"),
        unauthorized_role=r.text("HASURA_GRAPHQL_UNAUTHORIZED_ROLE", "public"),
        database_url=Secret(r.url("DATABASE_URL", None, "postgres", "postgresql")),
        redis_url=Secret(r.url("REDIS_URL", "", "redis", "rediss", "unix")),
        public_url=r.url("PUBLIC_URL", f"http://localhost:{port}", "http", "https").rstrip("/"),
        smtp=SMTP(
            host=r.text("SMTP_HOST", ""),
            port=r.integer("SMTP_PORT", 1025, 1, 65535),
            user=r.text("SMTP_USER", ""),
            password=Secret(r.text("SMTP_PASS", "")),
            sender=r.address("EMAIL_FROM", "no-reply@localhost"),
        ),
        rate_limit=RateLimit(
            points=r.integer("RATE_LIMIT_POINTS", 5, 1, 1_000_000),
            role_points=r.integer("RATE_LIMIT_ROLE_POINTS", 300, 1, 1_000_000),
            seconds=r.integer("RATE_LIMIT_DURATION", 60, 1, 86_400),
        ),
        environ=environ,
    )
    r.finish()
    return config


class Reader:
    """Turns variables into values and collects what is wrong with them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def finish(self) -> None:
        """Raise `ConfigError` when there was a problem."""
        if self.problems:
            raise ConfigError("read the environment: " + "\n".join(self.problems))

    def text(self, key: str, fallback: str) -> str:
        return self._environ.get(key, "").strip() or fallback

    def secret(self, *keys: str) -> Secret:
        for key in keys:
            if value := self._environ.get(key):
                return Secret(value)
        self.problems.append(f"{keys[0]} is not set")
        return Secret("")

    def integer(self, key: str, fallback: int, least: int, most: int) -> int:
        value = self.text(key, "")
        if not value:
            return fallback
        if re.fullmatch(r"[+-]?[0-9]{1,18}", value) and least <= int(value) <= most:
            return int(value)
        self.problems.append(f'{key} must be a whole number from {least} to {most}, got "{value}"')
        return fallback

    def level(self, key: str) -> int:
        value = self.text(key, "info")
        if value.lower() in _LEVELS:
            return _LEVELS[value.lower()]
        self.problems.append(f'{key} must be debug, info, warn or error, got "{value}"')
        return logging.INFO

    def url(self, key: str, fallback: str | None, *schemes: str) -> str:
        """Check a connection string without ever printing it: it may hold a password."""
        value = self.text(key, fallback or "")
        if not value:
            if fallback is None:
                self.problems.append(f"{key} is not set")
            return ""
        try:
            scheme = urlsplit(value).scheme
            _ = urlsplit(value).port  # read, because that is where a bad one is noticed
        except ValueError:
            scheme = None
        if scheme is None or re.search(r"%(?![0-9a-fA-F]{2})|\s", value):
            self.problems.append(f"{key} is not a valid URL")
        elif scheme not in schemes:
            self.problems.append(f"{key} must begin with {':// or '.join(schemes)}://")
        else:
            return value
        return ""

    def address(self, key: str, fallback: str) -> str:
        value = self.text(key, fallback)
        if not re.fullmatch(r"[^@\s]+@[^@\s]+", parseaddr(value)[1]):
            self.problems.append(f'{key} must be an email address, got "{value}"')
        return value
