"""The action registerUser."""

from __future__ import annotations

import logging
from urllib.parse import urlencode

from flask import Flask

from actions import register_user_rules as rules
from actions.deps import Deps
from actions.register_user_mail import verification_mail
from actions.types_gen import RegisterUserArgs, RegisterUserOutput, UserInfo, ValidationError
from actions.verify_email import PATH, VerifyEmailPage
from service import errors
from service.action import Request
from service.mail import MailError
from service.passwords import Hasher
from service.users import EmailTakenError, NewUser, Token, User, Users, new_token

log = logging.getLogger(__name__)


class RegisterUserHandler:
    """Makes an account and sends a mail with a link that proves that the address is its owner's."""

    def __init__(self, deps: Deps) -> None:
        self._users = Users(deps.db, deps.cache)
        self._passwords = Hasher()
        self._mail = deps.mail
        self._public_url = deps.config.public_url

    def routes(self, app: Flask) -> None:
        """Add the page that the mail links to."""
        app.add_url_rule(PATH, "verify_email", VerifyEmailPage(self._users), methods=["GET"])

    def handle(self, req: Request[RegisterUserArgs]) -> RegisterUserOutput:
        """Register a user.

        Input that breaks a rule and an address that is taken are answers with success false, not errors.
        """
        new = rules.normalise(req.args.input)
        if faults := rules.faults(new):
            return RegisterUserOutput(
                success=False, message="Validation failed", errors=faults, error_code=errors.VALIDATION
            )
        # Looking first spares the hash when the answer is no; create decides.
        if self._users.email_taken(new.email):
            return _email_taken()
        password_hash = self._passwords.hash(new.password)
        token = new_token()
        try:
            user = self._users.create(NewUser(new.email, password_hash, new.name, new.company), token)
        except EmailTakenError:
            return _email_taken()
        log.info("user registered", extra={"registered_user_id": user.id})

        message = "User registered successfully. Please check your email for verification."
        try:
            self._send_verification(user, token)
        except MailError as e:
            log.error("verification mail not sent", extra={"registered_user_id": user.id, "error": str(e)})
            message = "User registered successfully, but the verification email could not be sent."
        return RegisterUserOutput(
            success=True,
            user=UserInfo(id=user.id, email=user.email, name=user.name, email_verified=user.email_verified),
            message=message,
        )

    def _send_verification(self, user: User, token: Token) -> None:
        link = f"{self._public_url}{PATH}?{urlencode({'token': token})}"
        self._mail.send(verification_mail(user, link))


def _email_taken() -> RegisterUserOutput:
    return RegisterUserOutput(
        success=False,
        message="Email already registered",
        errors=[ValidationError(field="email", message="Email is already in use", code=rules.EMAIL_TAKEN)],
        error_code=rules.EMAIL_TAKEN,
    )
