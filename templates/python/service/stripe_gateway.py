"""Talks to Stripe. Its library is loaded when it is first needed: that takes longer than all the rest of the start."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from actions.deps import Deps
from service.config import Reader
from service.secret import Secret

if TYPE_CHECKING:
    import stripe
    from stripe.params import PaymentIntentCreateParams

_CALL_SECONDS = 12
"""Bounds one request to Stripe. There may be two for one payment, and the engine waits 30 s."""

_KEY_LIFE = timedelta(hours=23)
"""Stripe remembers idempotency keys for a day. A payment that was left pending longer is looked for first."""

_RETRIES = 1
"""Every request carries an idempotency key, so sending it again does no harm."""


class CardDeclinedError(Exception):
    """The card's bank, or Stripe, has refused. The text is for the customer."""

    def __init__(self, message: str, intent_id: str | None) -> None:
        super().__init__(message)
        self.intent_id = intent_id


@dataclass(frozen=True)
class Intent:
    """A payment as Stripe knows it."""

    id: str
    status: str
    """Stripe's word, such as "succeeded"."""
    client_secret: str | None
    """For the browser, which confirms the payment with it. It is not kept."""
    receipt_url: str | None


@dataclass(frozen=True)
class Charge:
    """What to charge."""

    payment_id: str
    customer: str
    """Stripe's name for the customer."""
    amount: int
    """In the currency's smallest unit."""
    currency: str
    """In lower case."""
    payment_method: str
    description: str
    began: datetime
    """When the payment was noted first."""


class StripeGateway:
    """Makes customers and payments. Doing the same again does it once."""

    def __init__(self, deps: Deps) -> None:
        r = Reader(deps.config.environ)
        self._key = Secret(r.text("STRIPE_SECRET_KEY", ""))
        self._base = r.url("STRIPE_API_BASE", "", "http", "https")
        self._return_url = r.url("PAYMENT_RETURN_URL", f"{deps.config.public_url}/payment-complete", "http", "https")
        r.finish()

    @property
    def configured(self) -> bool:
        """Whether there is a key."""
        return bool(self._key)

    @functools.cached_property
    def _client(self) -> stripe.StripeClient:
        import stripe

        stripe.enable_telemetry = False
        return stripe.StripeClient(
            self._key.reveal(),
            base_addresses={"api": self._base} if self._base else None,
            max_network_retries=_RETRIES,
            http_client=stripe.RequestsClient(timeout=_CALL_SECONDS),
        )

    def make_customer(self, user_id: str, email: str, name: str) -> str:
        """Make a customer for a user and return Stripe's name for it."""
        customer = self._client.v1.customers.create(
            {"email": email, "name": name, "metadata": {"user_id": user_id}},
            {"idempotency_key": f"customer-{user_id}"},
        )
        return customer.id

    def pay(self, charge: Charge) -> Intent:
        """Charge, or return what became of it before. Raises CardDeclinedError."""
        import stripe

        if datetime.now(UTC) - charge.began > _KEY_LIFE and (made := self._search(charge.payment_id)):
            return made
        params: PaymentIntentCreateParams = {
            "amount": charge.amount,
            "currency": charge.currency,
            "payment_method": charge.payment_method,
            "customer": charge.customer,
            "confirm": True,
            "off_session": False,
            "return_url": self._return_url,
            "metadata": {"payment_id": charge.payment_id},
            "expand": ["latest_charge"],
        }
        if charge.description:  # an empty one would mean "remove it"
            params["description"] = charge.description
        try:
            intent = self._client.v1.payment_intents.create(params, {"idempotency_key": charge.payment_id})
        except stripe.CardError as e:
            declined = e.error.payment_intent if e.error else None
            raise CardDeclinedError(e.user_message or "", declined.id if declined else None) from e
        return _intent(intent)

    def _search(self, payment_id: str) -> Intent | None:
        found = self._client.v1.payment_intents.search(
            {"query": f"metadata['payment_id']:'{payment_id}'", "expand": ["data.latest_charge"], "limit": 1}
        )
        return _intent(found.data[0]) if found.data else None

    def find(self, intent_id: str) -> Intent:
        """Return a payment that was made before."""
        return _intent(self._client.v1.payment_intents.retrieve(intent_id, {"expand": ["latest_charge"]}))


def _intent(intent: stripe.PaymentIntent) -> Intent:
    charge = intent.latest_charge
    receipt = charge.receipt_url if charge is not None and not isinstance(charge, str) else None
    return Intent(intent.id, intent.status, intent.client_secret, receipt)
