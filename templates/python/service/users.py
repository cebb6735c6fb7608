"""Accounts and the verification of their email addresses, in Postgres."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NewType

import psycopg
from psycopg.rows import class_row
from pydantic import BaseModel, ConfigDict

from service.cache import Cache
from service.store import Database, is_duplicate

_CACHE_SECONDS = 3600
"""How long a user is kept in the cache. A change through this module is seen at once."""

TOKEN_TTL = timedelta(hours=24)
"""How long a verification link works."""

Token = NewType("Token", str)
"""The secret part of a verification link: 32 random bytes, as text for a URL."""

_COLUMNS = "id::text, email, name, company, email_verified, created_at"


class EmailTakenError(Exception):
    """Another account has the email address."""


class UserNotFoundError(Exception):
    """There is no such user."""


class TokenUnknownError(Exception):
    """Nobody was sent this verification token."""


class TokenUsedError(Exception):
    """The verification token was used before."""


class TokenExpiredError(Exception):
    """The verification token has expired."""


class User(BaseModel):
    """An account as others may see it: the password's hash never leaves this module."""

    model_config = ConfigDict(frozen=True)

    id: str
    email: str
    name: str
    company: str | None
    email_verified: bool
    created_at: datetime


@dataclass(frozen=True)
class NewUser:
    """An account to be made. The email address is in lower case."""

    email: str
    password_hash: str
    name: str
    company: str | None = None


def new_token() -> Token:
    """Make a token."""
    return Token(secrets.token_urlsafe(32))


def _hash(token: Token) -> bytes:
    """Return what the database knows of the token."""
    return hashlib.sha256(token.encode(errors="replace")).digest()


class Users:
    """Reads and writes accounts."""

    def __init__(self, db: Database, cache: Cache) -> None:
        self._db = db
        self._cache = cache

    def email_taken(self, email: str) -> bool:
        """Whether an account has this address. The answer may be out of date by the time of `create`, which has the
        last word."""
        with self._db.connection() as conn:
            row = conn.execute(
                "SELECT EXISTS (SELECT FROM public.users WHERE lower(email) = lower(%s))", (email,)
            ).fetchone()
        return row is not None and bool(row[0])

    def create(self, new: NewUser, token: Token) -> User:
        """Make an account together with the token that will verify its address; both exist, or neither.

        Raises EmailTakenError when another account has the address, also when that is being made at the same time.
        """
        try:
            with self._db.connection() as conn, conn.transaction(), conn.cursor(row_factory=class_row(User)) as cursor:
                cursor.execute(
                    "INSERT INTO public.users (email, password_hash, name, company) "  # noqa: S608 # a constant
                    f"VALUES (%s, %s, %s, %s) RETURNING {_COLUMNS}",
                    (new.email, new.password_hash, new.name, new.company),
                )
                (user,) = cursor.fetchall()
                cursor.execute(
                    "INSERT INTO public.email_verifications (token_hash, user_id, expires_at) "
                    "VALUES (%s, %s, now() + %s)",
                    (_hash(token), user.id, TOKEN_TTL),
                )
        except psycopg.Error as e:
            if is_duplicate(e, "users_email_key"):
                raise EmailTakenError from e
            raise
        return user

    def find(self, user_id: str) -> User:
        """Return the account with this id, from the cache where it is there. Raises UserNotFoundError."""

        def load() -> User:
            with self._db.connection() as conn, conn.cursor(row_factory=class_row(User)) as cursor:
                cursor.execute(
                    f"SELECT {_COLUMNS} FROM public.users WHERE id::text = %s",  # noqa: S608 # a constant
                    (user_id,),
                )
                user = cursor.fetchone()
            if user is None:
                raise UserNotFoundError(user_id)
            return user

        return self._cache.fetch(_cache_key(user_id), User, _CACHE_SECONDS, load)

    def verify(self, token: Token) -> User:
        """Use up the token and mark its user's address as verified.

        A token works once, also when two requests bring it at the same time. Raises TokenUnknownError, TokenUsedError
        or TokenExpiredError.
        """
        with self._db.connection() as conn, conn.cursor(row_factory=class_row(User)) as cursor:
            cursor.execute(
                "WITH token AS ("  # noqa: S608 # a constant
                "UPDATE public.email_verifications SET used_at = now() "
                "WHERE token_hash = %s AND used_at IS NULL AND expires_at > now() RETURNING user_id"
                ") UPDATE public.users SET email_verified = true, updated_at = now() "
                f"WHERE id = (SELECT user_id FROM token) RETURNING {_COLUMNS}",
                (_hash(token),),
            )
            user = cursor.fetchone()
        if user is None:
            raise self._why_not(token)
        self._cache.delete(_cache_key(user.id))
        return user

    def _why_not(self, token: Token) -> Exception:
        """Tell why the token verified nothing."""
        with self._db.connection() as conn:
            row = conn.execute(
                "SELECT used_at IS NOT NULL FROM public.email_verifications WHERE token_hash = %s", (_hash(token),)
            ).fetchone()
        if row is None:
            return TokenUnknownError()
        return TokenUsedError() if row[0] else TokenExpiredError()


def _cache_key(user_id: str) -> str:
    return f"user:{user_id}"
