"""What the action bulkCreateUsers promises, and the page that its invitations lead to."""

from __future__ import annotations

import email
import email.policy
import io
import re
import time
from typing import Any

import psycopg

from service.config import SMTP
from service.passwords import Hasher
from tests.conftest import MakeService, Service

ADA, BOB = {"email": "ada@example.com", "name": "Ada", "company": "Acme"}, {"email": "bob@example.com", "name": "Bob"}


def create(service: Service, *users: dict[str, Any], **more: Any) -> dict[str, Any]:
    status, got = service.post("bulk-create-users", {"input": {"input": {"users": users, **more}}})
    assert status == 200
    return got


def test_creates(service: Service) -> None:
    got = create(service, ADA | {"email": " Ada@Example.com "}, BOB)
    assert got["results"][0].pop("email") == " Ada@Example.com "
    got["results"][0]["email"] = "ada@example.com"
    ids = [result["user"]["id"] for result in got["results"]]
    assert got == {
        "success": True, "created_count": 2, "failed_count": 0, "message": "2 users created",
        "errors": None, "error_code": None,
        "results": [
            {
                "email": f"{name.lower()}@example.com", "success": True, "error": None,
                "user": {"id": ids[i], "email": f"{name.lower()}@example.com", "name": name, "email_verified": False},
            }
            for i, name in enumerate(("Ada", "Bob"))
        ],
    }  # fmt: skip
    assert service.one("SELECT company, password_hash FROM users WHERE name = 'Ada'") == ("Acme", "!")
    assert service.one("SELECT count(*) FROM invitations") == (0,)


def test_some_fail(service: Service) -> None:
    create(service, BOB)
    got = create(service, ADA, BOB, {"email": "x", "name": "X"}, {"email": "y@example.com", "name": ""}, ADA)
    assert (got["success"], got["created_count"], got["failed_count"]) == (False, 1, 4)
    assert got["message"] == "1 users created, 4 failed"
    assert [result["error"] for result in got["results"]] == [
        None, "Email is already in use", "Email must be a valid email address", "Name is required",
        "Email is listed twice",
    ]  # fmt: skip


def test_limits(service: Service) -> None:
    for users, code in (([], "REQUIRED_FIELD"), ([BOB] * 10_001, "TOO_MANY_USERS")):
        got = create(service, *users)
        assert (got["success"], got["created_count"], got["failed_count"], got["results"]) == (False, 0, 0, [])
        assert [e["code"] for e in got["errors"]] == [code]
    assert service.one("SELECT count(*) FROM users") == (0,)


def test_many(service: Service) -> None:
    users = [{"email": f"u{n}@example.com", "name": f"U{n}"} for n in range(10_000)]
    got = create(service, *users, send_invitations=True)
    assert (got["success"], got["created_count"]) == (True, 10_000)
    assert [result["email"] for result in got["results"]] == [user["email"] for user in users]
    assert service.one("SELECT count(*) FROM invitations") == (10_000,)
    assert service.one("SELECT count(DISTINCT args) FROM procrastinate.procrastinate_jobs") == (10_000,)


def mails(service: Service, count: int) -> list[str]:
    deadline = time.monotonic() + 120
    while len(service.box.sent) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return service.box.sent


def link(sent: str) -> str:
    mail = email.message_from_string(sent, policy=email.policy.default)
    assert mail["Subject"] == "You are invited"
    text, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    found = re.search(r"http://service\.test(/accept-invitation\?token=[\w-]{43})\s", text.get_content())
    assert found is not None
    assert found[1] in html.get_content()
    return found[1]


def test_invites_once(service: Service, log: io.StringIO) -> None:
    create(service, ADA, BOB, send_invitations=True)
    with psycopg.connect(service.database_url) as conn:
        # As after the death of a worker that had sent one of them.
        conn.execute("UPDATE invitations SET sent_at = now() WHERE user_id = (SELECT id FROM users WHERE name = 'Bob')")
    with service.working():
        (sent,) = mails(service, 1)
    path = link(sent)
    token = path.split("=")[1]

    def expect(method: str, status: int, title: str, **form: str) -> None:
        response = service.client.open(path, method=method, data=form)
        assert (response.status_code, title in response.text) == (status, True), response.text

    expect("GET", 200, "Choose a password")
    expect("HEAD", 200, "")
    expect("POST", 400, "Password must be at least 8 characters", token=token, password="short")
    expect("POST", 404, "Link not valid", token="x", password="password123")
    expect("POST", 200, "Thank you, Ada. You can sign in now.", token=token, password="password123")
    expect("POST", 400, "Form not valid", token=token, password="x" * 20_000)
    expect("POST", 410, "Link already used", token=token, password="password124")
    expect("GET", 410, "Link already used")
    password_hash, verified = service.one("SELECT password_hash, email_verified FROM users WHERE name = 'Ada'")
    assert Hasher().matches("password123", password_hash)
    assert verified
    for secret in (token, "password123"):
        assert secret not in log.getvalue()


def test_expires(service: Service) -> None:
    create(service, ADA, send_invitations=True)
    with service.working():
        path = link(mails(service, 1)[0])
    with psycopg.connect(service.database_url) as conn:
        conn.execute("UPDATE invitations SET expires_at = now()")
    form = {"token": path.split("=")[1], "password": "password123"}
    for response in (service.client.get(path), service.client.post(path, data=form)):
        assert (response.status_code, "Link expired" in response.text) == (410, True)


def test_mail_fails_at_first(make_service: MakeService) -> None:
    """It is tried again until it is sent."""
    create(make_service(smtp=SMTP()), ADA, send_invitations=True)
    broken = make_service(smtp=SMTP())
    with broken.working():
        deadline = time.monotonic() + 120
        while broken.one("SELECT attempts FROM procrastinate.procrastinate_jobs") == (0,):
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert broken.one("SELECT sent_at, token_hash FROM invitations") == (None, None)
    service = make_service()
    with service.working():
        link(mails(service, 1)[0])
