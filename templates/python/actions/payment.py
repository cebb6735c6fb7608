"""The action processPayment."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from actions import payment_rules as rules
from actions.deps import Deps
from actions.types_gen import PaymentInput, PaymentOutput, PaymentStatus, ProcessPaymentArgs, ValidationError
from service import errors
from service.action import Request
from service.errors import ActionError
from service.payments import PENDING, Payment, Payments, request_hash
from service.stripe_gateway import CardDeclinedError, Charge, Intent, StripeGateway

log = logging.getLogger(__name__)

_CARD_ERROR = "CARD_ERROR"
_NOT_CONFIGURED = "PAYMENTS_NOT_CONFIGURED"
_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"


class ProcessPaymentHandler:
    """Charges a payment method through Stripe. A request with the same Idempotency-Key charges once."""

    def __init__(self, deps: Deps) -> None:
        self._unauthorized_role = deps.config.unauthorized_role
        self._payments = Payments(deps.db)
        self._stripe = StripeGateway(deps)

    def handle(self, req: Request[ProcessPaymentArgs]) -> PaymentOutput:
        """Process a payment."""
        user_id = req.session.signed_in(self._unauthorized_role)
        given = rules.normalise(req.args.input)
        faults = rules.faults(given)
        if not faults:
            if not req.session.may_see(given.customer_id):
                raise errors.forbidden("You can only pay for yourself")
            with _hidden():
                if not self._payments.customer_exists(given.customer_id):
                    faults = [rules.no_customer()]
        if faults:
            return _failed("Validation failed", errors.VALIDATION, faults)
        if not self._stripe.configured:
            log.error("payments are not configured: STRIPE_SECRET_KEY is not set")
            return _failed("Payments are not configured", _NOT_CONFIGURED)
        key = req.headers.get("Idempotency-Key", "").strip() or str(uuid.uuid4())
        with _hidden():
            return self._pay(given, user_id, key)

    def _pay(self, given: PaymentInput, user_id: str, key: str) -> PaymentOutput:
        digest = request_hash(given.model_dump())
        payment = self._payments.begin(
            key=key, customer_id=given.customer_id, user_id=user_id, amount=given.amount, currency=given.currency,
            description=given.description or "", digest=digest,
        )  # fmt: skip
        if payment.request_hash != digest:
            return _failed("This idempotency key was used for another payment", _KEY_REUSED)
        if payment.status != PENDING:
            return self._again(payment)
        customer = self._payments.stripe_customer(
            given.customer_id, lambda email, name: self._stripe.make_customer(given.customer_id, email, name)
        )
        charge = Charge(
            payment.id, customer, given.amount, given.currency, given.payment_method_id, given.description or "",
            payment.created_at,
        )  # fmt: skip
        try:
            # Under the payment's id, so that a request which was cut short before does not charge twice.
            intent = self._stripe.pay(charge)
        except CardDeclinedError as e:
            message = f"Card error: {e}"
            self._payments.finish(
                payment.id, status="FAILED", message=message, intent_id=e.intent_id, error_code=_CARD_ERROR
            )
            log.info("card declined", extra={"payment_id": payment.id})
            _declined(message)
        answer = _answer(intent)
        self._payments.finish(
            payment.id, status=answer.status, message=answer.message, intent_id=intent.id,
            receipt_url=answer.receipt_url, error_code=answer.error_code,
        )  # fmt: skip
        if answer.status == PaymentStatus.SUCCEEDED:
            log_payment_success(given.customer_id, intent.id, given.amount)
        return answer

    def _again(self, payment: Payment) -> PaymentOutput:
        """Answer as before."""
        if payment.error_code == _CARD_ERROR:
            _declined(payment.message or "")
        status = PaymentStatus(payment.status)
        secret = None
        if status == PaymentStatus.REQUIRES_ACTION and payment.intent_id:
            secret = self._stripe.find(payment.intent_id).client_secret  # it is not kept
        return PaymentOutput(
            success=status in (PaymentStatus.SUCCEEDED, PaymentStatus.PROCESSING),
            payment_intent_id=payment.intent_id,
            status=status,
            message=payment.message or "",
            receipt_url=payment.receipt_url,
            client_secret=secret,
            error_code=payment.error_code,
        )


@contextmanager
def _hidden() -> Iterator[None]:
    """Let the caller know no more than that it failed."""
    try:
        yield
    except ActionError:
        raise
    except Exception as e:
        raise ActionError(
            "Payment processing failed", errors.INTERNAL, 500, answer={"status": PaymentStatus.FAILED}
        ) from e


def log_payment_success(customer_id: str, payment_intent_id: str, amount: int) -> None:
    """Note a payment in the log."""
    log.info(
        "payment succeeded",
        extra={"customer_id": customer_id, "payment_intent_id": payment_intent_id, "amount": amount},
    )


def _answer(intent: Intent) -> PaymentOutput:
    match intent.status:
        case "succeeded":
            status, message = PaymentStatus.SUCCEEDED, "Payment processed successfully"
        case "requires_action":
            status, message = PaymentStatus.REQUIRES_ACTION, "Additional authentication required"
        case "processing":
            status, message = PaymentStatus.PROCESSING, "Payment is being processed"
        case other:
            status, message = PaymentStatus.FAILED, f"Payment failed: {other}"
    return PaymentOutput(
        success=status in (PaymentStatus.SUCCEEDED, PaymentStatus.PROCESSING),
        payment_intent_id=intent.id,
        status=status,
        message=message,
        receipt_url=intent.receipt_url,
        client_secret=intent.client_secret if status == PaymentStatus.REQUIRES_ACTION else None,
    )


def _failed(message: str, code: str, faults: list[ValidationError] | None = None) -> PaymentOutput:
    return PaymentOutput(success=False, status=PaymentStatus.FAILED, message=message, errors=faults, error_code=code)


def _declined(message: str) -> NoReturn:
    raise ActionError(message, _CARD_ERROR, answer={"status": PaymentStatus.FAILED})
