"""What the action processPayment promises."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from tests.conftest import MakeService, Service
from tests.stripe_server import StripeServer, stripe_server

ADA, BOB = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
PAYMENT: dict[str, Any] = {
    "amount": 1999, "currency": "USD", "payment_method_id": "pm_card_visa", "customer_id": ADA, "description": "Shoes",
}  # fmt: skip


@pytest.fixture
def stripe() -> Iterator[StripeServer]:
    with stripe_server() as server:
        yield server


@pytest.fixture
def shop(make_service: MakeService, stripe: StripeServer) -> Service:
    """A service with two users that talks to the server."""
    service = make_service({"STRIPE_SECRET_KEY": "sk_test_hidden", "STRIPE_API_BASE": stripe.url})
    add_users(service)
    return service


def add_users(service: Service) -> None:
    with psycopg.connect(service.database_url) as conn:
        for user_id, name in ((ADA, "Ada"), (BOB, "Bob")):
            conn.execute(
                "INSERT INTO users (id, email, password_hash, name) VALUES (%s, %s, '!', %s)",
                (user_id, f"{name}@example.com", name),
            )


def pay(service: Service, key: str = "", **changes: Any) -> tuple[int, dict[str, Any]]:
    body = {
        "input": {"input": PAYMENT | changes},
        "session_variables": {"x-hasura-role": "admin"},
    }
    service.headers["Idempotency-Key"] = key
    return service.post("process-payment", body)


def test_succeeds(shop: Service, stripe: StripeServer, log: io.StringIO) -> None:
    assert pay(shop) == (
        200,
        {
            "success": True, "payment_intent_id": "pi_1", "status": "SUCCEEDED",
            "message": "Payment processed successfully", "receipt_url": "https://pay.stripe.com/receipts/1",
            "client_secret": None, "errors": None, "error_code": None,
        },
    )  # fmt: skip
    (customer,) = stripe.made("/v1/customers")
    assert customer == {"email": "Ada@example.com", "name": "Ada", "metadata[user_id]": ADA}
    (intent,) = stripe.made("/v1/payment_intents")
    (payment_id,) = shop.one("SELECT id::text FROM payments WHERE status = 'SUCCEEDED' AND currency = 'usd'")
    assert intent == {
        "amount": "1999", "currency": "usd", "payment_method": "pm_card_visa", "customer": "cus_1",
        "description": "Shoes", "confirm": "true", "off_session": "false", "metadata[payment_id]": payment_id,
        "return_url": "http://service.test/payment-complete", "expand[0]": "latest_charge",
    }  # fmt: skip
    assert "payment succeeded" in log.getvalue()
    assert "sk_test_hidden" not in log.getvalue()
    assert pay(shop)[1]["payment_intent_id"] == "pi_2"
    assert len(stripe.made("/v1/customers")) == 1


@pytest.mark.parametrize(
    ("method", "success", "status", "message", "secret"),
    [
        ("pm_card_authenticationRequired", False, "REQUIRES_ACTION", "Additional authentication required", True),
        ("pm_processing", True, "PROCESSING", "Payment is being processed", False),
        ("pm_canceled", False, "FAILED", "Payment failed: canceled", False),
    ],
)
def test_other_outcomes(shop: Service, method: str, success: bool, status: str, message: str, secret: bool) -> None:
    for _ in "once", "again":
        _, got = pay(shop, "key", payment_method_id=method)
        assert (got["success"], got["status"], got["message"]) == (success, status, message)
        assert got["payment_intent_id"] == "pi_1"
        assert got["client_secret"] == ("pi_1_secret_x" if secret else None)


def test_card_error(shop: Service) -> None:
    for _ in "once", "again":
        status, got = pay(shop, "key", payment_method_id="pm_card_chargeDeclined")
        assert status == 400
        assert got == {
            "success": False, "status": "FAILED", "message": "Card error: Your card was declined.",
            "error_code": "CARD_ERROR", "code": "CARD_ERROR",
        }  # fmt: skip


def test_stripe_fails(shop: Service, log: io.StringIO) -> None:
    """The caller learns nothing; the same key may be tried again."""
    status, got = pay(shop, "key", payment_method_id="pm_broken")
    assert (status, got["success"], got["status"]) == (500, False, "FAILED")
    assert got["message"] == "Payment processing failed"
    assert "hidden detail" not in str(got)
    assert "hidden detail" in log.getvalue()
    assert shop.one("SELECT status FROM payments") == ("PENDING",)


def test_idempotency(shop: Service, stripe: StripeServer) -> None:
    first = pay(shop, "key")
    assert pay(shop, "key") == first
    assert pay(shop, "key", currency="usd ") == first
    _, got = pay(shop, "key", amount=2000)
    assert (got["success"], got["status"], got["error_code"]) == (False, "FAILED", "IDEMPOTENCY_KEY_REUSED")
    assert pay(shop, "key", customer_id=BOB)[1]["payment_intent_id"] == "pi_2"
    assert len(stripe.made("/v1/payment_intents")) == 2


def test_killed_before_the_answer_was_noted(shop: Service, stripe: StripeServer) -> None:
    """Asking Stripe again under the payment's id charges once."""
    first = pay(shop, "key")
    with psycopg.connect(shop.database_url) as conn:
        conn.execute("UPDATE payments SET status = 'PENDING', stripe_payment_intent_id = NULL, message = NULL")
        conn.execute("DELETE FROM payment_customers")
    assert pay(shop, "key") == first
    assert (len(stripe.made("/v1/payment_intents")), len(stripe.made("/v1/customers"))) == (1, 1)


def test_left_pending_for_long(shop: Service, stripe: StripeServer) -> None:
    """Stripe has forgotten the key: the payment is looked for before it is made again."""
    first = pay(shop, "key")
    with psycopg.connect(shop.database_url) as conn:
        conn.execute("UPDATE payments SET status = 'PENDING', created_at = now() - interval '25 hours'")
    stripe.found = [answer for _, answer in stripe.answers.values() if answer.get("object") == "payment_intent"]
    stripe.answers.clear()
    assert pay(shop, "key") == first
    assert len(stripe.made("/v1/payment_intents")) == 1


def test_at_once(shop: Service, stripe: StripeServer) -> None:
    body = {"input": {"input": PAYMENT}, "session_variables": {"x-hasura-role": "admin"}}
    headers = shop.headers | {"Idempotency-Key": "key"}

    def call(_: int) -> Any:
        client = shop.client.application.test_client()
        return client.post("/actions/process-payment", json=body, headers=headers).get_json()

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(call, range(8)))
    assert {answer["payment_intent_id"] for answer in answers} == {"pi_1"}
    assert shop.one("SELECT count(*) FROM payments") == (1,)


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"amount": 0}, "amount", "INVALID_RANGE"),
        ({"amount": 100_000_000}, "amount", "INVALID_RANGE"),
        ({"currency": "usx"}, "currency", "INVALID_CURRENCY"),
        ({"payment_method_id": " "}, "payment_method_id", "REQUIRED_FIELD"),
        ({"customer_id": "x"}, "customer_id", "NOT_FOUND"),
        ({"customer_id": "33333333-3333-4333-8333-333333333333"}, "customer_id", "NOT_FOUND"),
    ],
)
def test_faults(shop: Service, stripe: StripeServer, changes: dict[str, Any], field: str, code: str) -> None:
    _, got = pay(shop, **changes)
    assert (got["success"], got["status"], got["message"]) == (False, "FAILED", "Validation failed")
    assert [(e["field"], e["code"]) for e in got["errors"]] == [(field, code)]
    assert stripe.requests == []


def test_whose(shop: Service) -> None:
    def by(role: str, user_id: str) -> int:
        session = {"x-hasura-role": role, "x-hasura-user-id": user_id}
        return shop.post("process-payment", {"input": {"input": PAYMENT}, "session_variables": session})[0]

    assert [by("user", ADA), by("user", BOB), by("user", "7"), by("user", ""), by("public", ADA)] == [
        200, 403, 401, 401, 401,
    ]  # fmt: skip


def test_not_configured(service: Service, log: io.StringIO) -> None:
    add_users(service)
    status, got = pay(service)
    assert (status, got["success"], got["status"], got["message"], got["error_code"]) == (
        200, False, "FAILED", "Payments are not configured", "PAYMENTS_NOT_CONFIGURED",
    )  # fmt: skip
    assert "STRIPE_SECRET_KEY" in log.getvalue()


def test_stripe_mock(make_service: MakeService) -> None:
    """Stripe's own mock checks that requests have the form that its API takes."""
    url = os.environ.get("STRIPE_MOCK_URL")
    if not url:
        pytest.skip("STRIPE_MOCK_URL is not set: run github.com/stripe/stripe-mock")
    service = make_service({"STRIPE_SECRET_KEY": "sk_test_123", "STRIPE_API_BASE": url})
    add_users(service)
    status, got = pay(service)
    assert status == 200
    assert got["payment_intent_id"].startswith("pi_")
