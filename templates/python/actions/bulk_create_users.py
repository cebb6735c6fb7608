"""The action bulkCreateUsers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from urllib.parse import urlencode

from flask import Flask

from actions.accept_invitation import PATH, AcceptInvitationPage
from actions.bulk_create_users_mail import invitation_mail
from actions.deps import Deps
from actions.types_gen import (
    BulkCreateUsersArgs,
    BulkCreateUsersOutput,
    CreateUserInput,
    UserCreationResult,
    UserInfo,
    ValidationError,
)
from service import errors
from service.action import Request
from service.invitations import Account, Invitations, NewAccount, create_accounts, invite
from service.queue import Queue
from service.user_rules import MAX_COMPANY, MAX_NAME, email_fault, text_fault

log = logging.getLogger(__name__)

MAX_USERS = 10_000
_BATCH = 1_000
_TASK = "invitation"
_SEND_ATTEMPTS = 10


class BulkCreateUsersHandler:
    """Makes many accounts, and has their owners invited in the background."""

    max_body_bytes = 8 << 20

    def __init__(self, deps: Deps) -> None:
        self._public_url = deps.config.public_url
        self._db = deps.db
        self._mail = deps.mail
        self._invitations = Invitations(deps.db, deps.cache)
        self._queue = deps.part(Queue)
        self._queue.task(_TASK, self._invite, attempts=_SEND_ATTEMPTS)

    def routes(self, app: Flask) -> None:
        """Add the page that the mails link to."""
        page = AcceptInvitationPage(self._invitations)
        app.add_url_rule(PATH, "accept_invitation", page, methods=["GET", "POST"])

    def handle(self, req: Request[BulkCreateUsersArgs]) -> BulkCreateUsersOutput:
        """Create users. Those that cannot be created do not hinder the others; when the database fails, none is."""
        given = req.args.input.users
        if not given:
            return _refused(errors.REQUIRED, "At least one user is required")
        if len(given) > MAX_USERS:
            return _refused("TOO_MANY_USERS", f"At most {MAX_USERS:,} users can be created at once")
        users = [_normalise(user) for user in given]
        faults = _faults(users)
        accepted = [user for user, fault in zip(users, faults, strict=True) if fault is None]
        created = self._create(accepted, invited=bool(req.args.input.send_invitations))
        results = [
            _result(asked.email, user, fault, created) for asked, user, fault in zip(given, users, faults, strict=True)
        ]
        failed = len(results) - len(created)
        log.info("users created", extra={"created_count": len(created), "failed_count": failed})
        return BulkCreateUsersOutput(
            success=failed == 0,
            created_count=len(created),
            failed_count=failed,
            results=results,
            message=f"{len(created)} users created" + (f", {failed} failed" if failed else ""),
        )

    def _create(self, users: Sequence[NewAccount], *, invited: bool) -> dict[str, Account]:
        if invited:
            self._queue.prepare()
        created: dict[str, Account] = {}
        with self._db.connection() as conn, conn.transaction():
            for start in range(0, len(users), _BATCH):
                batch = create_accounts(conn, users[start : start + _BATCH])
                if invited and batch:
                    invite(conn, list(batch.values()))
                    self._queue.add(conn, _TASK, [{"user_id": account.id} for account in batch.values()])
                created |= batch
        return created

    def _invite(self, user_id: str) -> None:
        def send(email: str, name: str, token: str) -> None:
            link = f"{self._public_url}{PATH}?{urlencode({'token': token})}"
            self._mail.send(invitation_mail(email, name, link))

        if self._invitations.send(user_id, send):
            log.info("invitation sent", extra={"invited_user_id": user_id})


def _refused(code: str, message: str) -> BulkCreateUsersOutput:
    return BulkCreateUsersOutput(
        success=False,
        created_count=0,
        failed_count=0,
        results=[],
        message="Validation failed",
        errors=[ValidationError(field="users", code=code, message=message)],
        error_code=errors.VALIDATION,
    )


def _normalise(user: CreateUserInput) -> NewAccount:
    return NewAccount(user.email.strip().lower(), user.name.strip(), (user.company or "").strip() or None)


def _faults(users: Sequence[NewAccount]) -> list[str | None]:
    """Return for each user why it cannot be created, as far as the input tells."""
    seen: set[str] = set()
    faults: list[str | None] = []
    for user in users:
        fault = (
            email_fault(user.email)
            or text_fault("Name", user.name, MAX_NAME, required=True)
            or text_fault("Company", user.company or "", MAX_COMPANY, required=False)
        )
        if fault is not None:
            faults.append(fault[1])
        elif user.email in seen:
            faults.append("Email is listed twice")
        else:
            faults.append(None)
            seen.add(user.email)
    return faults


def _result(email: str, user: NewAccount, fault: str | None, created: dict[str, Account]) -> UserCreationResult:
    account = created.get(user.email) if fault is None else None
    if account is None:
        return UserCreationResult(email=email, success=False, error=fault or "Email is already in use")
    return UserCreationResult(
        email=email,
        success=True,
        user=UserInfo(id=account.id, email=account.email, name=account.name, email_verified=account.email_verified),
    )
