"""Accounts that are made for others, and the invitations of their owners, in Postgres.

An invitation's mail is sent within the transaction that notes that it was sent. Each is sent once; only when the
process dies between the mail server's word and the commit is it sent again, and then the former link no longer works.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from service.cache import Cache
from service.store import Database

INVITATION_TTL = timedelta(days=7)
"""How long the link of an invitation works, from the time that the account is made."""

NO_PASSWORD = "!"  # noqa: S105 # that is the point
"""A hash that no password has."""


@dataclass(frozen=True)
class NewAccount:
    """An account to be made. The email address is in lower case."""

    email: str
    name: str
    company: str | None


@dataclass(frozen=True)
class Account:
    """An account that was made."""

    id: str
    email: str
    name: str
    email_verified: bool


class InvitationUnknownError(Exception):
    """Nobody was sent this token."""


class InvitationUsedError(Exception):
    """The token was used before."""


class InvitationExpiredError(Exception):
    """The token has expired."""


def create_accounts(conn: Connection[Any], new: Sequence[NewAccount]) -> dict[str, Account]:
    """Make accounts in the transaction of conn, and return by email address those whose address was not taken."""
    with conn.cursor(row_factory=class_row(Account)) as cursor:
        cursor.execute(
            "INSERT INTO public.users (email, password_hash, name, company) "
            "SELECT email, %s, name, company "
            "FROM unnest(%s::text[], %s::text[], %s::text[]) AS t (email, name, company) "
            "ON CONFLICT DO NOTHING RETURNING id::text, email, name, email_verified",
            (NO_PASSWORD, [a.email for a in new], [a.name for a in new], [a.company for a in new]),
        )
        return {account.email: account for account in cursor.fetchall()}


def invite(conn: Connection[Any], accounts: Sequence[Account]) -> None:
    """Note in the transaction of conn that the owners are to be invited."""
    conn.execute(
        "INSERT INTO public.invitations (user_id, expires_at) "
        "SELECT id, now() + %s FROM unnest(%s::uuid[]) AS t (id) ON CONFLICT DO NOTHING",
        (INVITATION_TTL, [account.id for account in accounts]),
    )


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()


class Invitations:
    """Sends invitations and lets their owners in."""

    def __init__(self, db: Database, cache: Cache) -> None:
        self._db = db
        self._cache = cache

    def send(self, user_id: str, mail: Callable[[str, str, str], None]) -> bool:
        """Send the user's invitation unless that was done. mail is given address, name and token; what it raises leaves
        the invitation unsent."""
        token = secrets.token_urlsafe(32)
        with self._db.connection() as conn, conn.transaction():
            row = conn.execute(
                "UPDATE public.invitations SET token_hash = %s, sent_at = now() FROM public.users u "
                "WHERE user_id = %s::uuid AND u.id = user_id AND sent_at IS NULL AND accepted_at IS NULL "
                "RETURNING u.email, u.name",
                (_hash(token), user_id),
            ).fetchone()
            if row is None:
                return False
            address, name = row
            mail(address, name, token)
        return True

    def find(self, token: str) -> Account:
        """Return whose invitation the token is. Raises InvitationUnknownError, InvitationUsedError or
        InvitationExpiredError."""
        with self._db.connection() as conn:
            row = conn.execute(
                "SELECT u.id::text, u.email, u.name, u.email_verified, accepted_at IS NOT NULL, expires_at <= now() "
                "FROM public.invitations JOIN public.users u ON u.id = user_id WHERE token_hash = %s",
                (_hash(token),),
            ).fetchone()
        if row is None:
            raise InvitationUnknownError
        user_id, address, name, verified, accepted, expired = row
        if accepted:
            raise InvitationUsedError
        if expired:
            raise InvitationExpiredError
        return Account(user_id, address, name, verified)

    def accept(self, token: str, password_hash: str) -> Account:
        """Use up the token: its owner gets the password, and the address counts as verified.

        A token works once, also when two requests bring it at the same time. Raises what `find` raises.
        """
        with self._db.connection() as conn, conn.cursor(row_factory=class_row(Account)) as cursor:
            cursor.execute(
                "WITH invitation AS ("
                "UPDATE public.invitations SET accepted_at = now() "
                "WHERE token_hash = %s AND accepted_at IS NULL AND expires_at > now() RETURNING user_id"
                ") UPDATE public.users SET password_hash = %s, email_verified = true, updated_at = now() "
                "WHERE id = (SELECT user_id FROM invitation) RETURNING id::text, email, name, email_verified",
                (_hash(token), password_hash),
            )
            account = cursor.fetchone()
        if account is None:
            self.find(token)  # tells why not
            raise InvitationUsedError
        self._cache.delete(f"user:{account.id}")
        return account
