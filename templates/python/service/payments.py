"""Payments and Stripe's names for our users, in Postgres."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from psycopg.rows import class_row
from pydantic import BaseModel, ConfigDict

from service.store import Database

PENDING = "PENDING"

_COLUMNS = (
    "id::text, status, stripe_payment_intent_id AS intent_id, receipt_url, message, error_code, request_hash, "
    "created_at"
)


class Payment(BaseModel):
    """A payment as the table has it."""

    model_config = ConfigDict(frozen=True)

    id: str
    status: str
    """PENDING until Stripe has answered."""
    intent_id: str | None
    receipt_url: str | None
    message: str | None
    error_code: str | None
    request_hash: bytes
    """Tells a repeated request from another one with the same idempotency key."""
    created_at: datetime


def request_hash(given: Mapping[str, Any]) -> bytes:
    """Return what two requests with the same input share."""
    return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).digest()


class Payments:
    """Reads and changes payments."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def customer_exists(self, user_id: str) -> bool:
        """Whether there is such a user."""
        with self._db.connection() as conn:
            return conn.execute("SELECT FROM public.users WHERE id = %s::uuid", (user_id,)).rowcount == 1

    def begin(
        self, *, key: str, customer_id: str, user_id: str, amount: int, currency: str, description: str, digest: bytes
    ) -> Payment:
        """Note a payment before it is made, or return the one that the customer has made under this key before."""
        with self._db.connection() as conn, conn.transaction(), conn.cursor(row_factory=class_row(Payment)) as cursor:
            cursor.execute(
                "INSERT INTO public.payments "
                "(customer_id, user_id, amount, currency, description, idempotency_key, request_hash) "
                "VALUES (%s::uuid, %s, %s, %s, %s, %s, %s) ON CONFLICT (customer_id, idempotency_key) DO NOTHING",
                (customer_id, user_id or None, amount, currency, description, key, digest),
            )
            cursor.execute(
                f"SELECT {_COLUMNS} FROM public.payments "  # noqa: S608 # a constant
                "WHERE customer_id = %s::uuid AND idempotency_key = %s",
                (customer_id, key),
            )
            (payment,) = cursor.fetchall()
        return payment

    def finish(
        self, payment_id: str, *, status: str, message: str, intent_id: str | None = None,
        receipt_url: str | None = None, error_code: str | None = None,
    ) -> None:  # fmt: skip
        """Note what Stripe has answered."""
        with self._db.connection() as conn:
            conn.execute(
                "UPDATE public.payments SET status = %s, message = %s, "
                "stripe_payment_intent_id = coalesce(%s, stripe_payment_intent_id), receipt_url = %s, error_code = %s, "
                "updated_at = now() WHERE id = %s::uuid",
                (status, message, intent_id, receipt_url, error_code, payment_id),
            )

    def stripe_customer(self, user_id: str, make: Callable[[str, str], str]) -> str:
        """Return what Stripe calls the user; make is given the email address and the name of one whom it does not know
        yet."""
        with self._db.connection() as conn:
            row = conn.execute(
                "SELECT stripe_customer_id, email, name FROM public.users "
                "LEFT JOIN public.payment_customers ON user_id = id WHERE id = %s::uuid",
                (user_id,),
            ).fetchone()
        if row is None:
            raise LookupError(f"there is no user {user_id}")
        known, email, name = row
        if known:
            return str(known)
        made = make(email, name)
        with self._db.connection() as conn:
            conn.execute(
                "INSERT INTO public.payment_customers (user_id, stripe_customer_id) VALUES (%s::uuid, %s) "
                "ON CONFLICT DO NOTHING",
                (user_id, made),
            )
        return made
