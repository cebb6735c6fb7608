"""The action syncWithCrm."""

from __future__ import annotations

import logging
import time

from actions.deps import Deps
from actions.types_gen import CrmContactInput, SyncWithCrmArgs, SyncWithCrmOutput, ValidationError
from service import errors
from service.action import Request
from service.config import Reader
from service.crm import Contact, Crm
from service.crm_store import CrmStore, Integration
from service.encryption import Cipher, DecryptionError, NotConfiguredError
from service.outbound import Outbound

log = logging.getLogger(__name__)

_MAX_CONTACTS = 5_000
_SECONDS = 45
"""How long all of it may take: the action's timeout is 60 s."""

_FAILED = "CRM sync failed"


class SyncWithCrmHandler:
    """Sends contacts to the user's CRM and keeps what became of each."""

    max_body_bytes = 2 << 20

    def __init__(self, deps: Deps) -> None:
        r = Reader(deps.config.environ)
        self._unauthorized_role = deps.config.unauthorized_role
        self._outbound = Outbound(r.text("CRM_ALLOWED_HOSTS", ""))
        self._store = CrmStore(deps.db, Cipher(r))
        r.finish()

    def handle(self, req: Request[SyncWithCrmArgs]) -> SyncWithCrmOutput:
        """Sync contacts."""
        user_id = req.session.signed_in(self._unauthorized_role)
        if not user_id:
            raise errors.sign_in()
        contacts = [_clean(contact) for contact in req.args.input.contacts]
        if not contacts:
            return _refused(errors.REQUIRED, "At least one contact is required")
        if len(contacts) > _MAX_CONTACTS:
            return _refused("TOO_MANY_CONTACTS", f"At most {_MAX_CONTACTS:,} contacts can be synced at once")
        try:
            integration = self._store.find(user_id)
        except NotConfiguredError:
            log.error("the integration cannot be decrypted: ENCRYPTION_KEY is not set")
            return _failed(len(contacts), "Encryption is not configured", "ENCRYPTION_NOT_CONFIGURED")
        except DecryptionError:
            log.error("the integration cannot be decrypted: it was encrypted under another ENCRYPTION_KEY")
            return _failed(len(contacts), "The CRM API key must be saved again", "CRM_KEY_UNREADABLE")
        if integration is None:
            return _failed(len(contacts), "No CRM integration is set up", "CRM_NOT_CONFIGURED")
        return self._sync(user_id, integration, contacts)

    def _sync(self, user_id: str, integration: Integration, contacts: list[Contact]) -> SyncWithCrmOutput:
        self._store.begin(user_id, contacts)
        crm = Crm(self._outbound, integration.endpoint, integration.api_key, time.monotonic() + _SECONDS)
        outcomes = crm.push(contacts, lambda batch: self._store.note(user_id, batch))
        reasons = [outcome.error for outcome in outcomes if outcome.error]
        synced, failed = len(outcomes) - len(reasons), len(reasons)
        log.info("contacts sent", extra={"synced": synced, "failed": failed})
        if not failed:
            message = "CRM sync completed successfully"
        else:
            message = "CRM sync completed with failures" if synced else _FAILED
        return SyncWithCrmOutput(
            success=not failed,
            synced_count=synced,
            failed_count=failed,
            message=message,
            error=None if synced or not failed else reasons[0],
        )


def _failed(count: int, error: str, code: str) -> SyncWithCrmOutput:
    return SyncWithCrmOutput(
        success=False, synced_count=0, failed_count=count, message=_FAILED, error=error, error_code=code
    )


def _refused(code: str, message: str) -> SyncWithCrmOutput:
    return SyncWithCrmOutput(
        success=False,
        synced_count=0,
        failed_count=0,
        message="Validation failed",
        errors=[ValidationError(field="contacts", code=code, message=message)],
        error_code=errors.VALIDATION,
    )


def _clean(given: CrmContactInput) -> Contact:
    """Drop what Postgres cannot keep."""

    def clean(text: str) -> str:
        return text.replace("\0", "")

    return Contact(
        clean(given.email),
        clean(given.name),
        None if given.phone is None else clean(given.phone),
        None if given.company is None else clean(given.company),
    )
