"""The mail that invites the owner of an account that was made for them."""

from __future__ import annotations

from service.invitations import INVITATION_TTL
from service.mail import Message
from service.render import templates

_templates = templates(__file__)
_text = _templates.get_template("bulk_create_users_mail.txt")
_html = _templates.get_template("bulk_create_users_mail.html")


def invitation_mail(email: str, name: str, link: str) -> Message:
    """Write the mail."""
    facts = {"name": name, "link": link, "days": INVITATION_TTL.days}
    return Message(to=email, subject="You are invited", text=_text.render(facts), html=_html.render(facts))
