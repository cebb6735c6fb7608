"""Sends contacts to a user's CRM, in batches, with a regard for its rate limit and for the time that is left."""

from __future__ import annotations

import email.utils
import http.client
import json
import logging
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from service.outbound import Answer, DeadlineError, Outbound, TargetError
from service.secret import Secret

log = logging.getLogger(__name__)

BATCH = 100
_PAUSES = (0.5, 1.0, 2.0)
"""Before each of three more attempts."""

_MAX_WAIT_SECONDS = 10.0
"""How long the CRM may tell us to wait."""

_MAX_ERROR = 500

LIMITED = "CRM is limiting requests"
REFUSED = "CRM refused the contact"
UNREACHABLE = "CRM could not be reached"
KEY_REFUSED = "CRM refused the API key"
NO_TIME = "CRM took too long"
FORBIDDEN = "CRM endpoint is not allowed"


@dataclass(frozen=True)
class Contact:
    """Somebody whom the CRM is to know."""

    email: str
    name: str
    phone: str | None
    company: str | None


@dataclass(frozen=True)
class Outcome:
    """What became of a contact; an empty error means that the CRM has it."""

    contact: Contact
    error: str


class StopError(Exception):
    """Says why the rest of the contacts need not be tried."""


class Crm:
    """One user's CRM."""

    def __init__(self, outbound: Outbound, endpoint: str, api_key: Secret, deadline: float) -> None:
        """deadline is on the monotonic clock."""
        self._outbound = outbound
        self._url = endpoint.rstrip("/") + "/contacts"
        self._api_key = api_key
        self._deadline = deadline

    def push(self, contacts: Sequence[Contact], note: Callable[[list[Outcome]], None]) -> list[Outcome]:
        """Send the contacts and return what became of them. note is given the outcomes of each batch at once."""
        outcomes: list[Outcome] = []
        stopped = ""
        for start in range(0, len(contacts), BATCH):
            batch = contacts[start : start + BATCH]
            try:
                if stopped:
                    raise StopError(stopped)
                got = self._push(batch)
            except StopError as e:
                stopped = str(e)
                got = [Outcome(contact, stopped) for contact in batch]
            note(got)
            outcomes += got
        return outcomes

    def _push(self, batch: Sequence[Contact]) -> list[Outcome]:
        body = json.dumps({"contacts": [vars(contact) for contact in batch]}, ensure_ascii=False).encode()
        headers = {
            "Authorization": f"Bearer {self._api_key.reveal()}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Idempotency-Key": str(uuid.uuid4()),  # the same for all attempts, so that the CRM can tell a repetition
        }
        for pause in (*_PAUSES, None):
            answer = self._send(body, headers)
            if answer is None:
                error = UNREACHABLE
            elif answer.status in (401, 403):
                raise StopError(KEY_REFUSED)
            elif 200 <= answer.status < 300:
                return self._outcomes(batch, answer.body)
            elif answer.status == 429:
                error = LIMITED
                pause = pause and (_retry_after(answer.retry_after) or pause)  # the CRM knows better
            else:
                error = f"CRM answered with status {answer.status}"
                if answer.status < 500:
                    break
            if pause is not None:
                self._wait(pause)
        return [Outcome(contact, error) for contact in batch]

    def _send(self, body: bytes, headers: dict[str, str]) -> Answer | None:
        try:
            return self._outbound.post(self._url, body, headers, self._deadline)
        except TargetError as e:
            log.warning("contacts not sent", extra={"error": str(e)})
            raise StopError(FORBIDDEN) from e
        except DeadlineError as e:
            raise StopError(NO_TIME) from e
        except (OSError, http.client.HTTPException) as e:
            log.warning("contacts not sent", extra={"error": str(e)})
            if time.monotonic() >= self._deadline:
                raise StopError(NO_TIME) from e
            return None

    def _wait(self, seconds: float) -> None:
        if time.monotonic() + seconds >= self._deadline:
            raise StopError(NO_TIME)
        time.sleep(seconds)

    def _outcomes(self, batch: Sequence[Contact], body: bytes) -> list[Outcome]:
        """Read what the CRM says of each contact. It need not say anything: then it has taken all."""
        try:
            results: list[Any] = json.loads(body)["results"]
            refused = {
                str(result["email"]): self._harmless(result.get("error"))
                for result in results
                if result.get("success") is False
            }
        except (ValueError, LookupError, TypeError, AttributeError):
            refused = {}
        return [Outcome(contact, refused.get(contact.email, "")) for contact in batch]

    def _harmless(self, text: object) -> str:
        """Bound the CRM's text, and take the key out of it."""
        if not isinstance(text, str):
            return REFUSED
        return text.replace("\0", "").replace(self._api_key.reveal(), "[redacted]").strip()[:_MAX_ERROR] or REFUSED


def _retry_after(text: str) -> float:
    """Read the header: seconds or a date. 0: it says nothing."""
    try:
        seconds = float(int(text))
    except ValueError:
        try:
            until = email.utils.parsedate_to_datetime(text)
        except (TypeError, ValueError):
            return 0
        if until.tzinfo is None:
            until = until.replace(tzinfo=UTC)
        seconds = (until - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), _MAX_WAIT_SECONDS)
