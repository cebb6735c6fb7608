"""What registerUser accepts."""

from __future__ import annotations

import re
import unicodedata

from actions.types_gen import RegisterUserInput, ValidationError

# Codes of registration faults.
REQUIRED = "REQUIRED_FIELD"
LENGTH = "INVALID_LENGTH"
FORMAT = "INVALID_FORMAT"
EMAIL_TAKEN = "EMAIL_ALREADY_REGISTERED"

# Lengths in characters. The longest email address is what SMTP can carry (RFC 5321); the longest password keeps hashing
# from becoming a way to burden the service.
_MAX_EMAIL = 254
_MAX_NAME = 100
_MAX_COMPANY = 200
_MIN_PASSWORD = 8
_MAX_PASSWORD = 128

# The one that browsers use for <input type="email">, but for one thing: the domain must have a dot.
_email = re.compile(
    r"[a-zA-Z0-9.!#$%&'*+/=?^_{|}~`-]{1,64}@"
    r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+"
)

_Fault = tuple[str, str] | None


def normalise(given: RegisterUserInput) -> RegisterUserInput:
    """Trim what a person typed and write the email address in lower case: one mailbox, one account.

    The password stays as it is.
    """
    return given.model_copy(
        update={
            "email": given.email.strip().lower(),
            "name": given.name.strip(),
            "company": (given.company or "").strip() or None,
        }
    )


def faults(given: RegisterUserInput) -> list[ValidationError]:
    """Return every fault of the input, at most one for each field."""
    found = {
        "email": _email_fault(given.email),
        "password": _password_fault(given.password),
        "name": _text_fault("Name", given.name, _MAX_NAME, required=True),
        "company": _text_fault("Company", given.company or "", _MAX_COMPANY, required=False),
    }
    return [
        ValidationError(field=field, code=fault[0], message=fault[1])
        for field, fault in found.items()
        if fault is not None
    ]


def _email_fault(email: str) -> _Fault:
    if not email:
        return REQUIRED, "Email is required"
    if len(email.encode()) > _MAX_EMAIL:
        return LENGTH, f"Email must be at most {_MAX_EMAIL} characters"
    if not _email.fullmatch(email):
        return FORMAT, "Email must be a valid email address"
    return None


def _password_fault(password: str) -> _Fault:
    if not password:
        return REQUIRED, "Password is required"
    if len(password) < _MIN_PASSWORD:
        return LENGTH, f"Password must be at least {_MIN_PASSWORD} characters"
    if len(password) > _MAX_PASSWORD:
        return LENGTH, f"Password must be at most {_MAX_PASSWORD} characters"
    return None


def _text_fault(label: str, text: str, most: int, *, required: bool) -> _Fault:
    """Refuse control characters too: Postgres cannot store NUL, and the text ends up in mails."""
    if not text:
        return (REQUIRED, f"{label} is required") if required else None
    if len(text) > most:
        return LENGTH, f"{label} must be at most {most} characters"
    if any(unicodedata.category(c) == "Cc" for c in text):
        return FORMAT, f"{label} must not contain control characters"
    return None
