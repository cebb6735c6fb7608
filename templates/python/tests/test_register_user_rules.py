"""What registerUser accepts."""

from __future__ import annotations

import pytest

from actions import register_user_rules as rules
from actions.types_gen import RegisterUserInput

VALID = RegisterUserInput(email="test@example.com", password="password123", name="Test User")
LONG_EMAIL = "a@" + ("b" * 49 + ".") * 5 + "example"
BAD_EMAIL = "email INVALID_FORMAT Email must be a valid email address"
SHORT = "password INVALID_LENGTH Password must be at least 8 characters"


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        ({}, []),
        (
            {"email": "", "password": "", "name": ""},
            [
                "email REQUIRED_FIELD Email is required",
                "password REQUIRED_FIELD Password is required",
                "name REQUIRED_FIELD Name is required",
            ],
        ),
        ({"email": "  "}, ["email REQUIRED_FIELD Email is required"]),
        ({"email": "test.example.com"}, [BAD_EMAIL]),
        ({"email": "test@example"}, [BAD_EMAIL]),
        ({"email": "a@example.com,b@example.com"}, [BAD_EMAIL]),
        ({"email": "a@example.com\nBcc: b@example.com"}, [BAD_EMAIL]),
        ({"email": "Test+Tag@Sub.Example.COM"}, []),
        ({"email": LONG_EMAIL[:251] + "com"}, []),
        ({"email": LONG_EMAIL}, ["email INVALID_LENGTH Email must be at most 254 characters"]),
        ({"password": "1234567"}, [SHORT]),
        ({"password": "12345678"}, []),
        ({"password": "ääää"}, [SHORT]),
        ({"password": "x" * 129}, ["password INVALID_LENGTH Password must be at most 128 characters"]),
        ({"name": " \t"}, ["name REQUIRED_FIELD Name is required"]),
        ({"name": "x" * 101}, ["name INVALID_LENGTH Name must be at most 100 characters"]),
        ({"name": "ä" * 100}, []),
        ({"name": "a\x00b"}, ["name INVALID_FORMAT Name must not contain control characters"]),
        ({"company": "  "}, []),
        ({"company": "x" * 201}, ["company INVALID_LENGTH Company must be at most 200 characters"]),
    ],
)
def test_faults(changes: dict[str, str], want: list[str]) -> None:
    given = rules.normalise(VALID.model_copy(update=changes))
    assert [f"{f.field} {f.code} {f.message}" for f in rules.faults(given)] == want
