"""What is accepted as an account's email address, password and names."""

from __future__ import annotations

import re
import unicodedata

from service import errors

# Lengths in characters. The longest email address is what SMTP can carry (RFC 5321); the longest password keeps hashing
# from becoming a way to burden the service.
_MAX_EMAIL = 254
MAX_NAME = 100
MAX_COMPANY = 200
_MIN_PASSWORD = 8
_MAX_PASSWORD = 128

# The one that browsers use for <input type="email">, but for one thing: the domain must have a dot.
_email = re.compile(
    r"[a-zA-Z0-9.!#$%&'*+/=?^_{|}~`-]{1,64}@"
    r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+"
)

Fault = tuple[str, str] | None
"""A code and a message, or None for what is accepted."""


def email_fault(email: str) -> Fault:
    """Judge an email address in lower case."""
    if not email:
        return errors.REQUIRED, "Email is required"
    if len(email.encode()) > _MAX_EMAIL:
        return errors.LENGTH, f"Email must be at most {_MAX_EMAIL} characters"
    if not _email.fullmatch(email):
        return errors.FORMAT, "Email must be a valid email address"
    return None


def password_fault(password: str) -> Fault:
    """Judge a password."""
    if not password:
        return errors.REQUIRED, "Password is required"
    if len(password) < _MIN_PASSWORD:
        return errors.LENGTH, f"Password must be at least {_MIN_PASSWORD} characters"
    if len(password) > _MAX_PASSWORD:
        return errors.LENGTH, f"Password must be at most {_MAX_PASSWORD} characters"
    return None


def text_fault(label: str, text: str, most: int, *, required: bool) -> Fault:
    """Refuse control characters too: Postgres cannot store NUL, and the text ends up in mails."""
    if not text:
        return (errors.REQUIRED, f"{label} is required") if required else None
    if len(text) > most:
        return errors.LENGTH, f"{label} must be at most {most} characters"
    if any(unicodedata.category(c) == "Cc" for c in text):
        return errors.FORMAT, f"{label} must not contain control characters"
    return None
