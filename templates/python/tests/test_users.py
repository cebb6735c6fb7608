"""Accounts in Postgres."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from service.cache import Cache, open_redis
from service.secret import Secret
from service.store import Database
from service.users import (
    EmailTakenError,
    NewUser,
    TokenUnknownError,
    TokenUsedError,
    UserNotFoundError,
    Users,
    new_token,
)

NEW = NewUser(email="a@example.com", password_hash="hash", name="A")


@pytest.fixture
def users(db: Database, redis_url: str, prefix: str) -> Users:
    return Users(db, Cache(open_redis(Secret(redis_url)), prefix))


def test_create_and_find(users: Users) -> None:
    created = users.create(NEW, new_token())
    assert users.find(created.id) == created
    assert users.find(created.id) == created  # from the cache
    assert users.email_taken("A@EXAMPLE.com")
    assert not users.email_taken("b@example.com")
    with pytest.raises(EmailTakenError):
        users.create(NewUser(email="A@example.com", password_hash="h", name="B"), new_token())


@pytest.mark.parametrize("user_id", ["", "x", "00000000-0000-0000-0000-000000000000"])
def test_find_nobody(users: Users, user_id: str) -> None:
    with pytest.raises(UserNotFoundError):
        users.find(user_id)


def test_verify_reaches_the_cache(users: Users) -> None:
    """The cached user must not stay unverified."""
    token = new_token()
    user = users.create(NEW, token)
    users.find(user.id)
    users.verify(token)
    assert users.find(user.id).email_verified


def test_token_works_once(users: Users) -> None:
    token = new_token()
    users.create(NEW, token)

    def verify(_: int) -> str:
        try:
            users.verify(token)
        except TokenUsedError:
            return "used"
        return "verified"

    with ThreadPoolExecutor(4) as pool:
        outcomes = sorted(pool.map(verify, range(10)))
    assert outcomes == ["used"] * 9 + ["verified"]
    with pytest.raises(TokenUnknownError):
        users.verify(new_token())
