"""The page that the verification mail leads to."""

from __future__ import annotations

import email
import email.policy
import io
import re

import psycopg

from tests.conftest import Service
from tests.test_register_user import USER, direct


def register(service: Service) -> str:
    """Make a user and return the path of the link in the mail."""
    assert service.post("register-user", direct(USER))[1]["success"] is True
    (sent,) = service.box.sent
    mail = email.message_from_string(sent, policy=email.policy.default)
    assert mail["To"] == "test@example.com"
    assert mail["From"] == "Shop <no-reply@shop.test>"
    text, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    assert "Hello Test User" in text.get_content()
    link = re.search(r"http://service\.test(/verify-email\?token=[\w-]{43})\s", text.get_content())
    assert link is not None
    assert link[1] in html.get_content()
    return link[1]


def test_works_once(service: Service, log: io.StringIO) -> None:
    path = register(service)
    token = path.split("=")[1]

    def expect(path: str, status: int, title: str) -> None:
        response = service.client.get(path)
        assert response.status_code == status
        assert title in response.text

    expect("/verify-email", 404, "Link not valid")
    expect("/verify-email?token=x", 404, "Link not valid")
    assert service.client.head(path).status_code == 200
    assert service.one("SELECT email_verified FROM users") == (False,)
    expect(path, 200, "Email address verified")
    assert service.one("SELECT email_verified FROM users") == (True,)
    expect(path, 410, "Link already used")
    assert token not in log.getvalue()
    assert service.one("SELECT count(*) FROM email_verifications WHERE token_hash = convert_to(%s, 'UTF8')", token) == (
        0,
    )


def test_expires(service: Service) -> None:
    path = register(service)
    with psycopg.connect(service.database_url) as conn:
        conn.execute("UPDATE email_verifications SET expires_at = now()")
    response = service.client.get(path)
    assert (response.status_code, "Link expired" in response.text) == (410, True)


def test_name_is_escaped(service: Service) -> None:
    service.post("register-user", direct(USER | {"name": "<b>Bob</b>"}))
    (sent,) = service.box.sent
    html = email.message_from_string(sent, policy=email.policy.default).get_body(("html",))
    assert html is not None
    assert "Hello &lt;b&gt;Bob" in html.get_content()
