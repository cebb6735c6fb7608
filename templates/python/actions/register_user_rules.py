"""What registerUser accepts."""

from __future__ import annotations

from actions.types_gen import RegisterUserInput, ValidationError
from service.user_rules import MAX_COMPANY, MAX_NAME, email_fault, password_fault, text_fault

EMAIL_TAKEN = "EMAIL_ALREADY_REGISTERED"


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
        "email": email_fault(given.email),
        "password": password_fault(given.password),
        "name": text_fault("Name", given.name, MAX_NAME, required=True),
        "company": text_fault("Company", given.company or "", MAX_COMPANY, required=False),
    }
    return [
        ValidationError(field=field, code=fault[0], message=fault[1])
        for field, fault in found.items()
        if fault is not None
    ]
