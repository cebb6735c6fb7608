"""What the action syncWithCrm promises."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from email.utils import format_datetime
from typing import Any

import pytest

from service.config import Reader
from service.crm_store import CrmStore, Integration
from service.encryption import Cipher
from service.secret import Secret
from service.store import Database
from tests.conftest import MakeService, Service
from tests.crm_server import CrmServer, crm_server

ADA = "11111111-1111-4111-8111-111111111111"
KEY = base64.b64encode(bytes(range(32))).decode()
CONTACT = {"email": "eve@example.com", "name": "Eve", "phone": "123", "company": None}


@pytest.fixture
def crm() -> Iterator[CrmServer]:
    with crm_server() as server:
        yield server


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the service would have waited before it tried again."""
    naps: list[float] = []
    monkeypatch.setattr("service.crm.time.sleep", naps.append)
    return naps


def connect(db: Database, endpoint: str) -> None:
    cipher = Cipher(Reader({"ENCRYPTION_KEY": KEY}))
    CrmStore(db, cipher).save(ADA, Integration(endpoint, Secret("key-hidden")))


@pytest.fixture
def shop(make_service: MakeService, db: Database, crm: CrmServer) -> Service:
    """A service with a user whose CRM is the server."""
    service = make_service({"ENCRYPTION_KEY": KEY, "CRM_ALLOWED_HOSTS": crm.host})
    connect(db, f"http://{crm.host}/api/")
    return service


def sync(service: Service, *contacts: dict[str, Any], user_id: str = ADA) -> dict[str, Any]:
    session = {"x-hasura-role": "user", "x-hasura-user-id": user_id}
    body = {"input": {"input": {"contacts": contacts}}, "session_variables": session}
    status, got = service.post("sync-with-crm", body)
    assert status == 200, got
    return got


def people(count: int) -> list[dict[str, Any]]:
    return [CONTACT | {"email": f"p{n}@example.com"} for n in range(count)]


def test_syncs(shop: Service, crm: CrmServer, log: io.StringIO) -> None:
    assert sync(shop, CONTACT, *people(150)) == {
        "success": True, "synced_count": 151, "failed_count": 0, "message": "CRM sync completed successfully",
        "error": None, "errors": None, "error_code": None,
    }  # fmt: skip
    (headers, first), (others, second) = crm.calls
    assert first[0] == CONTACT
    assert [len(first), len(second)] == [100, 51]
    assert headers["Authorization"] == "Bearer key-hidden"
    assert headers["Content-Type"] == "application/json"
    assert headers["Host"] == crm.host
    assert headers["Idempotency-Key"] != others["Idempotency-Key"]
    query = "SELECT name, phone, company, status, error, synced_at IS NULL FROM crm_contacts WHERE email = %s"
    assert shop.one(query, "eve@example.com") == ("Eve", "123", None, "SYNCED", None, False)
    assert "key-hidden" not in log.getvalue()


def test_some_fail(shop: Service, crm: CrmServer) -> None:
    """What the CRM says of the key stays here."""
    crm.reply = lambda _, contacts: (
        200, {}, {"results": [
            {"email": contacts[0]["email"], "success": False, "error": "No key-hidden, no luck"},
            {"email": contacts[1]["email"], "success": False},
            {"email": contacts[2]["email"], "success": True},
        ]},
    )  # fmt: skip
    got = sync(shop, *people(4))
    assert (got["success"], got["synced_count"], got["failed_count"], got["error"]) == (False, 2, 2, None)
    assert got["message"] == "CRM sync completed with failures"
    for email, want in (
        ("p0@example.com", ("FAILED", "No [redacted], no luck")),
        ("p1@example.com", ("FAILED", "CRM refused the contact")),
        ("p3@example.com", ("SYNCED", None)),
    ):
        assert shop.one("SELECT status, error FROM crm_contacts WHERE email = %s", email) == want


def test_key_refused(shop: Service, crm: CrmServer) -> None:
    crm.reply = lambda call, _: (200 if call == 1 else 401, {}, {"error": "key-hidden is wrong"})
    got = sync(shop, *people(300))
    assert (got["synced_count"], got["failed_count"], got["message"]) == (100, 200, "CRM sync completed with failures")
    assert len(crm.calls) == 2
    crm.calls.clear()
    crm.reply = lambda _, __: (403, {}, None)
    got = sync(shop, *people(300))
    assert (got["synced_count"], got["message"], got["error"]) == (0, "CRM sync failed", "CRM refused the API key")
    assert shop.one("SELECT count(*) FROM crm_contacts WHERE status = 'FAILED' AND synced_at IS NOT NULL") == (100,)


@pytest.mark.parametrize(
    ("status", "retry_after", "pause"),
    [(429, "3", 3), (429, "99", 10), (429, "0", 0.5), (429, "soon", 0.5), (500, "3", 0.5), (503, "", 0.5)],
)
def test_tries_again(
    shop: Service, crm: CrmServer, naps: list[float], status: int, retry_after: str, pause: float
) -> None:
    crm.reply = lambda call, _: (status if call == 1 else 200, {"Retry-After": retry_after}, None)
    assert sync(shop, CONTACT)["success"] is True
    assert naps == [pause]
    (first, _), (second, _) = crm.calls
    assert first["Idempotency-Key"] == second["Idempotency-Key"]


def test_date_to_wait_for(shop: Service, crm: CrmServer, naps: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2026, 1, 31, 23, 59, 57, tzinfo=UTC)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Clock:
            return cls.fromtimestamp(now.timestamp(), tz)

    monkeypatch.setattr("service.crm.datetime", Clock)
    until = format_datetime(now + timedelta(seconds=6), usegmt=True)
    crm.reply = lambda call, _: (429 if call == 1 else 200, {"Retry-After": until}, None)
    assert sync(shop, CONTACT)["success"] is True
    assert naps == [6]


@pytest.mark.parametrize(
    ("status", "calls", "error"),
    [
        (429, 4, "CRM is limiting requests"),
        (500, 4, "CRM answered with status 500"),
        (302, 1, "CRM answered with status 302"),
        (404, 1, "CRM answered with status 404"),
    ],
)
def test_gives_up(shop: Service, crm: CrmServer, naps: list[float], status: int, calls: int, error: str) -> None:
    crm.reply = lambda _, __: (status, {"Location": "http://127.0.0.1:1/"}, None)
    got = sync(shop, CONTACT)
    assert (got["success"], got["error"], len(crm.calls)) == (False, error, calls)
    assert naps == [0.5, 1.0, 2.0][: calls - 1]


def test_cannot_be_reached(shop: Service, db: Database, crm: CrmServer, naps: list[float]) -> None:
    crm.shutdown()
    crm.server_close()
    assert sync(shop, CONTACT)["error"] == "CRM could not be reached"
    assert len(naps) == 3


def test_takes_too_long(shop: Service, crm: CrmServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actions.sync_with_crm._SECONDS", 0.2)
    hung = threading.Event()
    crm.reply = lambda _, __: (200, {}, hung.wait())
    try:
        got = sync(shop, *people(101))
    finally:
        hung.set()
    assert (got["failed_count"], got["error"]) == (101, "CRM took too long")


def test_private_address(make_service: MakeService, db: Database, crm: CrmServer) -> None:
    """An endpoint that was allowed once is checked again."""
    service = make_service({"ENCRYPTION_KEY": KEY})
    connect(db, f"https://{crm.host}/api")
    assert sync(service, CONTACT)["error"] == "CRM endpoint is not allowed"
    assert crm.calls == []


def test_not_configured(make_service: MakeService, db: Database) -> None:
    service = make_service({"ENCRYPTION_KEY": KEY})
    assert sync(service, CONTACT) == {
        "success": False, "synced_count": 0, "failed_count": 1, "message": "CRM sync failed",
        "error": "No CRM integration is set up", "errors": None, "error_code": "CRM_NOT_CONFIGURED",
    }  # fmt: skip
    connect(db, "https://8.8.8.8/")
    other = make_service({"ENCRYPTION_KEY": base64.b64encode(bytes(32)).decode()})
    assert sync(other, CONTACT)["error_code"] == "CRM_KEY_UNREADABLE"
    assert sync(make_service(), CONTACT)["error_code"] == "ENCRYPTION_NOT_CONFIGURED"


def test_limits(shop: Service) -> None:
    for contacts, code in (([], "REQUIRED_FIELD"), (people(5001), "TOO_MANY_CONTACTS")):
        got = sync(shop, *contacts)
        assert (got["success"], got["synced_count"], got["failed_count"]) == (False, 0, 0)
        assert [(e["field"], e["code"]) for e in got["errors"]] == [("contacts", code)]


def test_needs_a_user(shop: Service) -> None:
    assert shop.post("sync-with-crm", {"input": {"input": {"contacts": [CONTACT]}}})[0] == 401
