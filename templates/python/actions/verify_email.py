"""The page that the link in the verification mail leads to."""

from __future__ import annotations

import logging

from flask import Response, request

from service.render import templates
from service.users import Token, TokenExpiredError, TokenUnknownError, TokenUsedError, Users

log = logging.getLogger(__name__)

PATH = "/verify-email"

_page = templates(__file__).get_template("verify_email.html")

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",  # the address of this page holds the token
    "X-Content-Type-Options": "nosniff",
}


class VerifyEmailPage:
    """Answers the link. It is for browsers, so it asks for no secret: the token is the secret."""

    def __init__(self, users: Users) -> None:
        self._users = users

    def __call__(self) -> Response:
        """Verify the address and say so in a page."""
        if request.method == "HEAD":
            # Mail scanners look at links with HEAD; that must not use the token up.
            return Response(headers=_HEADERS, content_type="text/html; charset=utf-8")
        status, title, text = self._verify(Token(request.args.get("token", "")))
        page = _page.render(title=title, text=text)
        return Response(page, status, _HEADERS, content_type="text/html; charset=utf-8")

    def _verify(self, token: Token) -> tuple[int, str, str]:
        try:
            user = self._users.verify(token)
        except TokenUsedError:
            return 410, "Link already used", "This link has been used before. Your email address is verified."
        except TokenExpiredError:
            return 410, "Link expired", "This link is no longer valid. Please ask for a new one."
        except TokenUnknownError:
            return 404, "Link not valid", "This link is not valid. Please check that you opened all of it."
        except Exception:
            log.exception("email not verified")
            return 500, "Something went wrong", "Please try the link again in a few minutes."
        log.info("email verified", extra={"verified_user_id": user.id})
        return 200, "Email address verified", f"Thank you, {user.name}. You can close this page."
