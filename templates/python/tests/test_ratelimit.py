"""Who may call how often."""

from __future__ import annotations

import pytest

from service.cache import open_redis
from service.config import RateLimit
from service.ratelimit import Limiter
from service.secret import Secret
from service.session import Session
from tests.proxy import Proxy

RATE = RateLimit(points=2, role_points=4, seconds=60)
USER = Session("user", "7")


@pytest.fixture
def limiter(redis_url: str, prefix: str) -> Limiter:
    return Limiter(open_redis(Secret(redis_url)), prefix, RATE, "public")


def allowed(limiter: Limiter, action: str, *sessions: Session) -> int:
    """Count the calls out of ten that get through."""
    waits = [limiter.allow(action, sessions[i % len(sessions)]) for i in range(10)]
    assert all(0 <= wait <= RATE.seconds for wait in waits)
    return waits.count(0)


@pytest.mark.parametrize(
    ("session", "want"),
    [
        (USER, 2),
        (Session("admin", "7"), 2),
        (Session("admin"), 10),
        (Session(), 10),
        (Session("worker"), 4),
        (Session("public"), 4),
    ],
)
def test_allow(limiter: Limiter, session: Session, want: int) -> None:
    assert allowed(limiter, "a", session) == want


def test_actions_and_users_are_apart(limiter: Limiter) -> None:
    for action, user in (("a", "1"), ("a", "2"), ("b", "1")):
        assert allowed(limiter, action, Session("user", user)) == 2


def test_visitors_cannot_claim_users(limiter: Limiter) -> None:
    """Visitors can put any user id in their session; it must neither free them nor use up what is another's."""
    assert allowed(limiter, "a", *(Session("public", str(i)) for i in range(10))) == RATE.role_points
    assert allowed(limiter, "a", Session("user", "1")) == RATE.points


def test_redis_down(redis_url: str, prefix: str) -> None:
    proxy = Proxy(redis_url)
    limiter = Limiter(open_redis(Secret(f"redis://127.0.0.1:{proxy.port}")), prefix, RATE, "public")
    assert allowed(limiter, "a", USER) == 2
    proxy.down()
    assert allowed(limiter, "a", USER) == 10
    assert allowed(Limiter(None, "", RATE, "public"), "a", USER) == 10
