"""Bounds how often an action may be called, counted in Redis, so that all instances of the service count together.

The counting is done by `limits`, which Flask-Limiter is built on as well. Flask-Limiter itself decides before the body
is read, and the caller's session is in the body.
"""

from __future__ import annotations

import logging
import time

from limits import RateLimitItemPerSecond
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis import Redis, RedisError

from service.config import RateLimit
from service.session import Session

log = logging.getLogger(__name__)


class Limiter:
    """Counts calls for each action apart:

    - a user may call it `points` times per duration, or `role_points` times when the action is a frequent one;
    - callers of one role without a user id, such as visitors who did not sign in, share `role_points` per duration;
    - the admin, and direct calls with the admin secret, are not limited unless they name a user.

    The duration is a moving window: at no time do more calls than that lie within it. When Redis is down nothing is
    limited: to be reachable matters more.
    """

    def __init__(self, client: Redis | None, prefix: str, rate: RateLimit, unauthorized_role: str) -> None:
        """Without a client everything is allowed.

        Visitors with unauthorized_role are never told apart by user id, because they can claim any.
        """
        self._unauthorized_role = unauthorized_role
        self._user = RateLimitItemPerSecond(rate.points, rate.seconds, "user")
        self._role = RateLimitItemPerSecond(rate.role_points, rate.seconds, "role")
        self._limiter: MovingWindowRateLimiter | None = None
        if client is not None:
            storage = RedisStorage(
                "redis://", connection_pool=client.connection_pool, key_prefix=prefix + "action_limit"
            )
            self._limiter = MovingWindowRateLimiter(storage)

    def allow(self, action: str, session: Session, *, frequent: bool = False) -> float:
        """Return 0 when the call may proceed, and otherwise how many seconds to wait."""
        item, caller = self._bucket(session)
        if frequent and item is not None:
            item = self._role
        if self._limiter is None or item is None:
            return 0
        try:
            if self._limiter.hit(item, action, caller):
                return 0
            wait = self._limiter.get_window_stats(item, action, caller).reset_time - time.time()
        except RedisError as e:
            log.warning("rate limit is off", extra={"action": action, "error": str(e)})
            return 0
        return min(max(wait, 0.001), item.get_expiry())

    def _bucket(self, session: Session) -> tuple[RateLimitItemPerSecond | None, str]:
        """Return the allowance and the name of who shares it."""
        if session.user_id and session.role != self._unauthorized_role:
            return self._user, session.user_id
        if session.trusted:
            return None, ""
        return self._role, session.role
