"""The action saveCrmIntegration."""

from __future__ import annotations

import logging

from actions.deps import Deps
from actions.types_gen import SaveCrmIntegrationArgs, SaveCrmIntegrationOutput, ValidationError
from service import errors
from service.action import Request
from service.config import Reader
from service.crm_store import CrmStore, Integration
from service.encryption import Cipher
from service.outbound import ForbiddenTargetError, InvalidURLError, Outbound
from service.secret import Secret

log = logging.getLogger(__name__)

_MAX_KEY = 4096


class SaveCrmIntegrationHandler:
    """Connects a user's CRM. The API key is kept encrypted, and never shown again."""

    def __init__(self, deps: Deps) -> None:
        r = Reader(deps.config.environ)
        self._unauthorized_role = deps.config.unauthorized_role
        self._cipher = Cipher(r)
        self._outbound = Outbound(r.text("CRM_ALLOWED_HOSTS", ""))
        r.finish()
        self._store = CrmStore(deps.db, self._cipher)

    def handle(self, req: Request[SaveCrmIntegrationArgs]) -> SaveCrmIntegrationOutput:
        """Save the settings."""
        user_id = req.session.signed_in(self._unauthorized_role)
        if not user_id:
            raise errors.sign_in()
        endpoint, key = req.args.input.endpoint.strip(), Secret(req.args.input.api_key.strip())
        if faults := [fault for fault in (self._endpoint_fault(endpoint), _key_fault(key)) if fault]:
            return SaveCrmIntegrationOutput(
                success=False, message="Validation failed", errors=faults, error_code=errors.VALIDATION
            )
        if not self._cipher.configured:
            log.error("the integration cannot be encrypted: ENCRYPTION_KEY is not set")
            return SaveCrmIntegrationOutput(
                success=False, message="Encryption is not configured", error_code="ENCRYPTION_NOT_CONFIGURED"
            )
        self._store.save(user_id, Integration(endpoint, key))
        log.info("CRM connected", extra={"crm_user_id": user_id})
        return SaveCrmIntegrationOutput(success=True, message="CRM integration saved")

    def _endpoint_fault(self, endpoint: str) -> ValidationError | None:
        if not endpoint:
            return _fault("endpoint", errors.REQUIRED, "Endpoint is required")
        try:
            self._outbound.check(endpoint)
        except InvalidURLError:
            return _fault("endpoint", "INVALID_URL", "Endpoint must be an https URL")
        except ForbiddenTargetError:
            return _fault("endpoint", "FORBIDDEN_TARGET", "Endpoint must not be a private address")
        return None


def _fault(field: str, code: str, message: str) -> ValidationError:
    return ValidationError(field=field, code=code, message=message)


def _key_fault(key: Secret) -> ValidationError | None:
    text = key.reveal()
    if not text:
        return _fault("api_key", errors.REQUIRED, "API key is required")
    if len(text) > _MAX_KEY or not all("!" <= c <= "~" for c in text):
        return _fault("api_key", errors.FORMAT, "API key is not valid")  # it would not fit into a header
    return None
