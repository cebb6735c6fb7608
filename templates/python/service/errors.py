"""The error contract: what a caller sees when a call fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# Codes of single inputs.
REQUIRED = "REQUIRED_FIELD"
LENGTH = "INVALID_LENGTH"
FORMAT = "INVALID_FORMAT"
RANGE = "INVALID_RANGE"

# Codes that the service itself answers with, in error_code.
VALIDATION = "VALIDATION_ERROR"
BAD_REQUEST = "BAD_REQUEST"
UNAUTHORIZED = "UNAUTHORIZED"
SIGN_IN = "UNAUTHENTICATED"
FORBIDDEN = "FORBIDDEN"
NOT_FOUND = "NOT_FOUND"
METHOD = "METHOD_NOT_ALLOWED"
TOO_LARGE = "BODY_TOO_LARGE"
RATE_LIMITED = "RATE_LIMITED"
INTERNAL = "INTERNAL_ERROR"
NOT_IMPLEMENTED = "NOT_IMPLEMENTED"


@dataclass(frozen=True)
class FieldError:
    """One input at fault."""

    field: str
    message: str
    code: str = ""


class ActionError(Exception):
    """A failure that the caller may see.

    With a status from 400 to 499 the engine answers its client with the message as a GraphQL error and the code in its
    extensions; any higher status becomes "internal error" there. A failure of business rules is not an ActionError:
    answer it with status 200 and success false in the action's output type. The cause, given with `raise ... from`, is
    for the log only.
    """

    def __init__(
        self,
        message: str,
        code: str,
        status: int = 400,
        *,
        fields: list[FieldError] | None = None,
        extensions: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        answer: dict[str, Any] | None = None,
    ) -> None:
        """answer holds further members of the body, such as a status that the action's output type has."""
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.fields = fields or []
        self.extensions = extensions
        self.headers = headers or {}
        self.answer = answer or {}

    def body(self) -> dict[str, Any]:
        """Return what the caller sees.

        The engine reads message, code and extensions; people who call the handler by hand get the same shape as from a
        failed business rule.
        """
        body: dict[str, Any] = {"success": False, "message": self.message}
        if self.fields:
            body["errors"] = [
                {"field": f.field, "message": f.message} | ({"code": f.code} if f.code else {}) for f in self.fields
            ]
        if self.code:
            body |= {"error_code": self.code, "code": self.code}
        if self.extensions:
            body["extensions"] = self.extensions
        return body | self.answer


def bad_request(message: str, code: str = BAD_REQUEST) -> ActionError:
    """Status 400: the caller sent something that cannot be used."""
    return ActionError(message, code)


def unauthorized(message: str) -> ActionError:
    """Status 401: the caller has not proved who it is."""
    return ActionError(message, UNAUTHORIZED, 401)


def sign_in() -> ActionError:
    """Status 401: only a user can do this."""
    return ActionError("Sign in first", SIGN_IN, 401)


def forbidden(message: str) -> ActionError:
    """Status 403: the caller is known and may not do this."""
    return ActionError(message, FORBIDDEN, 403)


def not_implemented(action: str, file: str) -> ActionError:
    """Answer for a handler that has not been written yet; file tells where to write it.

    Its status is 400, because the engine would hide the message of a 501.
    """
    return ActionError(f"{action} is not implemented yet: edit {file}", NOT_IMPLEMENTED)


def internal() -> ActionError:
    """Status 500, without any detail."""
    return ActionError("Internal server error", INTERNAL, 500)
