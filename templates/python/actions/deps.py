"""What handlers may use."""

from __future__ import annotations

from dataclasses import dataclass

from service.cache import Cache
from service.config import Config
from service.mail import Mailer
from service.store import Database


@dataclass(frozen=True)
class Deps:
    """A handler's constructor takes what it needs from here. Add a field for whatever yours need, and fill it in
    app.py."""

    config: Config
    db: Database
    cache: Cache
    mail: Mailer
