"""The page that the link in an invitation leads to."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from flask import Response, request
from werkzeug.exceptions import HTTPException

from service.invitations import InvitationExpiredError, Invitations, InvitationUnknownError, InvitationUsedError
from service.passwords import Hasher
from service.render import templates
from service.user_rules import password_fault

log = logging.getLogger(__name__)

PATH = "/accept-invitation"

_MAX_FORM_BYTES = 16 << 10

_template = templates(__file__).get_template("accept_invitation.html")

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",  # the address of this page holds the token
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class _Page:
    """What to show; with a token there is a form."""

    status: int
    title: str
    text: str
    token: str = ""


class AcceptInvitationPage:
    """Asks for a password and sets it.

    It is for browsers, so it asks for no secret: the token is the secret. Only the form uses it up, not the link, which
    scanners of mail follow.
    """

    def __init__(self, invitations: Invitations) -> None:
        self._invitations = invitations
        self._passwords = Hasher()

    def __call__(self) -> Response:
        """Answer with a page."""
        page = self._answer()
        text = _template.render(title=page.title, text=page.text, token=page.token)
        return Response(text, page.status, _HEADERS, content_type="text/html; charset=utf-8")

    def _answer(self) -> _Page:
        request.max_content_length = _MAX_FORM_BYTES
        try:
            return self._accept() if request.method == "POST" else self._ask()
        except InvitationUsedError:
            text = "This link has been used before. You can sign in with your password."
            return _Page(410, "Link already used", text)
        except InvitationExpiredError:
            return _Page(410, "Link expired", "This link is no longer valid. Please ask for a new one.")
        except InvitationUnknownError:
            return _Page(404, "Link not valid", "This link is not valid. Please check that you opened all of it.")
        except HTTPException:
            return _Page(400, "Form not valid", "Please open the link in your mail again.")
        except Exception:
            log.exception("invitation not accepted")
            return _Page(500, "Something went wrong", "Please try the link again in a few minutes.")

    def _ask(self) -> _Page:
        token = request.args.get("token", "")
        self._invitations.find(token)
        return _Page(200, "Choose a password", "It needs at least 8 characters.", token)

    def _accept(self) -> _Page:
        token, password = request.form.get("token", ""), request.form.get("password", "")
        self._invitations.find(token)  # spares the hash when the answer is no
        if fault := password_fault(password):
            return _Page(400, "Choose a password", f"{fault[1]}.", token)
        account = self._invitations.accept(token, self._passwords.hash(password))
        log.info("invitation accepted", extra={"invited_user_id": account.id})
        return _Page(200, "Password saved", f"Thank you, {account.name}. You can sign in now.")
