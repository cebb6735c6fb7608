"""On whose behalf the engine calls."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from werkzeug.datastructures import Headers

from service import errors

_uuid = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True)
class Session:
    """The session of a call. It is to be believed because the caller has proved that it knows the admin secret."""

    role: str = ""
    """ "admin", or the role that the action's permissions let in. Empty: a direct call without a session."""
    user_id: str = ""
    """x-hasura-user-id, or empty."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """All session variables, names in lower case."""

    @property
    def trusted(self) -> bool:
        """Whether the caller is the admin, or a direct call with the admin secret and no session at all."""
        return self.role in ("", "admin")

    def signed_in(self, unauthorized_role: str) -> str:
        """Return the id of the user who calls, in lower case.

        Without one it raises an ActionError with status 401, unless the caller is trusted: then the id is empty.
        Visitors with unauthorized_role can claim any id, so theirs does not count, nor do ids that are not UUIDs.
        """
        user_id = self.user_id.lower() if is_uuid(self.user_id) else ""
        if self.trusted or (user_id and self.role != unauthorized_role):
            return user_id
        raise errors.sign_in()

    def may_see(self, owner: str | None) -> bool:
        """Whether a caller who is signed in may see what belongs to a user, or to the admin (None)."""
        return self.trusted or owner == self.user_id.lower()


def is_uuid(text: str) -> bool:
    """Whether a text is a UUID as Postgres and GraphQL write it."""
    return _uuid.fullmatch(text) is not None


def from_call(body: Mapping[str, Any], headers: Headers) -> Session:
    """Take the variables of the body where it has some, and the X-Hasura-* headers otherwise.

    An empty header counts as absent.
    """
    given = body or _from_headers(headers)
    variables = {name.lower(): _text(value) for name, value in given.items() if value is not None}
    return Session(variables.get("x-hasura-role", ""), variables.get("x-hasura-user-id", ""), variables)


def _from_headers(headers: Headers) -> dict[str, Any]:
    try:
        given = json.loads(headers.get("X-Hasura-Session-Variables", ""))
    except (ValueError, RecursionError):
        given = None  # text that is not JSON is as good as none: the two headers below may still be there
    variables: dict[str, Any] = given if isinstance(given, dict) else {}
    for name in ("X-Hasura-Role", "X-Hasura-User-Id"):
        if value := headers.get(name):
            variables[name.lower()] = value
    return variables


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
