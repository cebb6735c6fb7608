"""Keeps values in Redis for a while.

It is a help, not a source of truth: when Redis is down, reads miss, writes are dropped, and the service goes on.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from service.secret import Secret

# The client loads OpenTelemetry wherever it is installed, for metrics that nobody asks it for, which would take as long
# as the rest of the start. It makes do without.
_TELEMETRY = "opentelemetry"
_loaded = sys.modules.get(_TELEMETRY)
sys.modules[_TELEMETRY] = None  # type: ignore[assignment] # Python's way to say that there is no such module
try:
    from redis import ConnectionPool, Redis, RedisError
    from redis.backoff import NoBackoff
    from redis.retry import Retry
finally:
    del sys.modules[_TELEMETRY]
    if _loaded is not None:
        sys.modules[_TELEMETRY] = _loaded

log = logging.getLogger(__name__)

ModelT = TypeVar("ModelT", bound=BaseModel)

OPERATION_SECONDS = 0.5
"""Bounds each use of Redis: waiting longer for it than for the database would defeat its purpose."""


def open_redis(url: Secret) -> Redis | None:
    """Return a Redis client that connects when it is first used.

    An empty url gives None: the cache and the rate limit are then off. Raises ValueError for one that cannot be read.
    """
    if not url:
        return None
    try:
        pool = ConnectionPool.from_url(
            url.reveal(),
            socket_timeout=OPERATION_SECONDS,
            socket_connect_timeout=OPERATION_SECONDS,
            retry=Retry(NoBackoff(), 1),
            driver_info=None,
        )
    except ValueError:
        # The cause may quote the password.
        raise ValueError("REDIS_URL is not a valid Redis connection string") from None
    return Redis(connection_pool=pool)


class Cache:
    """Stores models as JSON under a common prefix."""

    def __init__(self, client: Redis | None, prefix: str) -> None:
        """Without a client nothing is ever held."""
        self._client = client
        self._prefix = prefix

    def get(self, key: str, model: type[ModelT]) -> ModelT | None:
        """Return the value at key, or None."""
        if self._client is None:
            return None
        try:
            data = self._client.get(self._prefix + key)
            return model.model_validate_json(data) if isinstance(data, bytes | str) else None
        except (RedisError, ValidationError) as e:
            _failed("get", key, e)
            return None

    def set(self, key: str, value: BaseModel, seconds: int) -> None:
        """Store value at key for so many seconds."""
        if self._client is None:
            return
        try:
            self._client.set(self._prefix + key, value.model_dump_json(), ex=seconds)
        except RedisError as e:
            _failed("set", key, e)

    def delete(self, *keys: str) -> None:
        """Remove keys, for values that have changed."""
        if self._client is None or not keys:
            return
        try:
            self._client.delete(*(self._prefix + key for key in keys))
        except RedisError as e:
            _failed("delete", keys[0], e)

    def fetch(self, key: str, model: type[ModelT], seconds: int, load: Callable[[], ModelT]) -> ModelT:
        """Return the value at key, or what load returns, which is then stored."""
        if (value := self.get(key, model)) is not None:
            return value
        value = load()
        self.set(key, value, seconds)
        return value


def _failed(op: str, key: str, error: Exception) -> None:
    log.warning("cache failed", extra={"op": op, "key": key, "error": str(error)})
