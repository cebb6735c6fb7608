"""Mail."""

from __future__ import annotations

import pytest

from service.config import SMTP
from service.mail import Mailer, MailError, Message
from service.secret import Secret
from tests.mailbox import Mailbox

MESSAGE = Message(to="ann@example.com", subject="Grüße", text="plain words", html="<p>rich words</p>")


def test_send(box: Mailbox) -> None:
    Mailer(SMTP("127.0.0.1", box.port, sender="Shop <no-reply@shop.test>")).send(MESSAGE)
    (sent,) = box.sent
    for want in (
        "From: Shop <no-reply@shop.test>", "To: ann@example.com", "Subject: =?utf-8?", "multipart/alternative",
        "plain words", "<p>rich words</p>",
    ):  # fmt: skip
        assert want in sent


def test_send_fails(box: Mailbox) -> None:
    message = Message(to="x\ny", subject="s", text="t", html="h")
    for config, what, want in (
        (SMTP(), MESSAGE, "SMTP_HOST is not set"),
        (SMTP("127.0.0.1", 1), MESSAGE, "send mail through 127.0.0.1:1"),
        (SMTP("127.0.0.1", box.port), message, "write the mail"),
        # A password must not cross a line that the server does not encrypt.
        (SMTP("127.0.0.1", box.port, "u", Secret("hidden")), MESSAGE, "STARTTLS"),
    ):
        with pytest.raises(MailError, match=want) as caught:
            Mailer(config).send(what)
        assert "hidden" not in str(caught.value)
    assert box.sent == []
