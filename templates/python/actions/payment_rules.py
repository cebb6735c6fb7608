"""What processPayment accepts."""

from __future__ import annotations

from actions.types_gen import PaymentInput, ValidationError
from service import errors
from service.session import is_uuid

CURRENCY = "INVALID_CURRENCY"

_MAX_AMOUNT = 99_999_999
_MAX_DESCRIPTION = 1000

# ISO 4217, without funds, metals and the codes for testing.
# fmt: off
_CURRENCIES = frozenset({
    "aed", "afn", "all", "amd", "ang", "aoa", "ars", "aud", "awg", "azn", "bam", "bbd", "bdt", "bgn", "bhd", "bif",
    "bmd", "bnd", "bob", "brl", "bsd", "btn", "bwp", "byn", "bzd", "cad", "cdf", "chf", "clp", "cny", "cop", "crc",
    "cup", "cve", "czk", "djf", "dkk", "dop", "dzd", "egp", "ern", "etb", "eur", "fjd", "fkp", "gbp", "gel", "ghs",
    "gip", "gmd", "gnf", "gtq", "gyd", "hkd", "hnl", "htg", "huf", "idr", "ils", "inr", "iqd", "irr", "isk", "jmd",
    "jod", "jpy", "kes", "kgs", "khr", "kmf", "kpw", "krw", "kwd", "kyd", "kzt", "lak", "lbp", "lkr", "lrd", "lsl",
    "lyd", "mad", "mdl", "mga", "mkd", "mmk", "mnt", "mop", "mru", "mur", "mvr", "mwk", "mxn", "myr", "mzn", "nad",
    "ngn", "nio", "nok", "npr", "nzd", "omr", "pab", "pen", "pgk", "php", "pkr", "pln", "pyg", "qar", "ron", "rsd",
    "rub", "rwf", "sar", "sbd", "scr", "sdg", "sek", "sgd", "shp", "sle", "sos", "srd", "ssp", "stn", "svc", "syp",
    "szl", "thb", "tjs", "tmt", "tnd", "top", "try", "ttd", "twd", "tzs", "uah", "ugx", "usd", "uyu", "uzs", "ved",
    "ves", "vnd", "vuv", "wst", "xaf", "xcd", "xof", "xpf", "yer", "zar", "zmw", "zwg",
})
# fmt: on


def normalise(given: PaymentInput) -> PaymentInput:
    """Trim texts and write the currency as Stripe has it."""
    return given.model_copy(
        update={
            "currency": given.currency.strip().lower(),
            "payment_method_id": given.payment_method_id.strip(),
            "customer_id": given.customer_id.strip().lower(),
            "description": (given.description or "").strip(),
        }
    )


def faults(given: PaymentInput) -> list[ValidationError]:
    """Return every fault of the input, at most one for each field."""
    found: list[ValidationError] = []

    def fault(field: str, code: str, message: str) -> None:
        found.append(ValidationError(field=field, code=code, message=message))

    if not 1 <= given.amount <= _MAX_AMOUNT:
        fault("amount", errors.RANGE, f"Amount must be from 1 to {_MAX_AMOUNT}")
    if given.currency not in _CURRENCIES:
        fault("currency", CURRENCY, "Currency must be a currency code such as usd")
    if not given.payment_method_id:
        fault("payment_method_id", errors.REQUIRED, "Payment method is required")
    if not is_uuid(given.customer_id):
        found.append(no_customer())
    if len(given.description or "") > _MAX_DESCRIPTION:
        fault("description", errors.LENGTH, f"Description must be at most {_MAX_DESCRIPTION} characters")
    return found


def no_customer() -> ValidationError:
    """Say that there is no such customer."""
    return ValidationError(field="customer_id", code=errors.NOT_FOUND, message="Customer does not exist")
