"""Sends mail over SMTP."""

from __future__ import annotations

import smtplib
import socket
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from service.config import SMTP

_IMPLICIT_TLS_PORT = 465
"""Where SMTP servers speak TLS from the first byte (RFC 8314)."""

_SEND_SECONDS = 10
"""Bounds each step of a delivery: the caller of an action is waiting for it."""


class MailError(Exception):
    """Says why a message was not delivered."""


@dataclass(frozen=True)
class Message:
    """A mail to one person. text and html say the same."""

    to: str
    subject: str
    text: str
    html: str


class Mailer:
    """Sends messages through one SMTP server, each over a connection of its own."""

    def __init__(self, config: SMTP) -> None:
        self._config = config

    def send(self, message: Message) -> None:
        """Deliver a message to the SMTP server, or raise MailError."""
        config = self._config
        if not config.host:
            raise MailError("send mail: SMTP_HOST is not set")
        try:
            mail = self._write(message)
        except ValueError as e:
            raise MailError(f"write the mail: {e}") from e
        try:
            with self._connect() as server:
                server.send_message(mail)
        except (OSError, smtplib.SMTPException) as e:
            raise MailError(f"send mail through {config.host}:{config.port}: {e}") from e

    def _write(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["From"] = self._config.sender
        mail["To"] = message.to
        mail["Subject"] = message.subject
        mail["Date"] = formatdate()
        mail["Message-ID"] = make_msgid(domain=self._config.sender.rpartition("@")[2].strip(">") or None)
        mail.set_content(message.text)
        mail.add_alternative(message.html, subtype="html")
        return mail

    def _connect(self) -> smtplib.SMTP:
        """Encrypt wherever the server can, and insist on it as soon as a password would cross the line."""
        config, name = self._config, socket.gethostname()
        if config.port == _IMPLICIT_TLS_PORT:
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                config.host, config.port, name, timeout=_SEND_SECONDS, context=ssl.create_default_context()
            )
        else:
            server = smtplib.SMTP(config.host, config.port, name, timeout=_SEND_SECONDS)
        try:
            server.ehlo()
            if config.port != _IMPLICIT_TLS_PORT and (config.user or server.has_extn("starttls")):
                server.starttls(context=ssl.create_default_context())
            if config.user:
                server.login(config.user, config.password.reveal())
        except BaseException:
            server.close()
            raise
        return server
