"""The mail with the link that verifies a user's address."""

from __future__ import annotations

from service.mail import Message
from service.render import templates
from service.users import TOKEN_TTL, User

_templates = templates(__file__)
_text = _templates.get_template("register_user_mail.txt")
_html = _templates.get_template("register_user_mail.html")


def verification_mail(user: User, link: str) -> Message:
    """Write the mail."""
    facts = {"name": user.name, "link": link, "hours": int(TOKEN_TTL.total_seconds() // 3600)}
    return Message(
        to=user.email,
        subject="Please verify your email address",
        text=_text.render(facts),
        html=_html.render(facts),
    )
