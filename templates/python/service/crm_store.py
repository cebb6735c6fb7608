"""Users' CRM settings and what became of their contacts, in Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from service.crm import Contact, Outcome
from service.encryption import Cipher
from service.secret import Secret
from service.store import Database


@dataclass(frozen=True)
class Integration:
    """How to reach a user's CRM."""

    endpoint: str
    api_key: Secret


class CrmStore:
    """Reads and writes them. The API key is kept encrypted."""

    def __init__(self, db: Database, cipher: Cipher) -> None:
        self._db = db
        self._cipher = cipher

    def save(self, user_id: str, integration: Integration) -> None:
        """Set or replace the user's CRM."""
        kept = self._cipher.encrypt(integration.api_key, user_id)
        with self._db.connection() as conn:
            conn.execute(
                "INSERT INTO public.crm_integrations (user_id, endpoint, api_key_encrypted) VALUES (%s::uuid, %s, %s) "
                "ON CONFLICT (user_id) DO UPDATE SET endpoint = excluded.endpoint, "
                "api_key_encrypted = excluded.api_key_encrypted, updated_at = now()",
                (user_id, integration.endpoint, kept),
            )

    def find(self, user_id: str) -> Integration | None:
        """Return the user's CRM, if one is set. Raises NotConfiguredError or DecryptionError."""
        with self._db.connection() as conn:
            row = conn.execute(
                "SELECT endpoint, api_key_encrypted FROM public.crm_integrations WHERE user_id = %s::uuid", (user_id,)
            ).fetchone()
        if row is None:
            return None
        endpoint, kept = row
        return Integration(endpoint, self._cipher.decrypt(bytes(kept), user_id))

    def begin(self, user_id: str, contacts: Sequence[Contact]) -> None:
        """Save that contacts are on their way."""
        self._note(user_id, [Outcome(contact, "") for contact in contacts], pending=True)

    def note(self, user_id: str, outcomes: Sequence[Outcome]) -> None:
        """Save what became of contacts; of those with one address the last counts."""
        self._note(user_id, outcomes, pending=False)

    def _note(self, user_id: str, outcomes: Sequence[Outcome], *, pending: bool) -> None:
        last = {outcome.contact.email: outcome for outcome in outcomes}.values()
        with self._db.connection() as conn:
            conn.execute(
                "INSERT INTO public.crm_contacts (user_id, email, name, phone, company, status, error, synced_at) "
                "SELECT %s::uuid, email, name, phone, company, status, nullif(error, ''), "
                "CASE status WHEN 'SYNCED' THEN now() END "
                "FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[]) "
                "AS t (email, name, phone, company, status, error) "
                "ON CONFLICT (user_id, email) DO UPDATE SET name = excluded.name, phone = excluded.phone, "
                "company = excluded.company, status = excluded.status, error = excluded.error, "
                "synced_at = coalesce(excluded.synced_at, crm_contacts.synced_at), updated_at = now()",
                (
                    user_id,
                    [outcome.contact.email for outcome in last],
                    [outcome.contact.name for outcome in last],
                    [outcome.contact.phone for outcome in last],
                    [outcome.contact.company for outcome in last],
                    ["PENDING" if pending else "FAILED" if outcome.error else "SYNCED" for outcome in last],
                    [outcome.error for outcome in last],
                ),
            )
