"""What handlers may use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from service.cache import Cache
from service.config import Config
from service.mail import Mailer
from service.store import Database

PartT = TypeVar("PartT")


@dataclass(frozen=True)
class Deps:
    """A handler's constructor takes what it needs from here. Add a field for whatever yours need, and fill it in
    app.py."""

    config: Config
    db: Database
    cache: Cache
    mail: Mailer
    parts: dict[Callable[..., Any], Any] = field(default_factory=dict)
    """What handlers have made with `part`."""

    def part(self, kind: Callable[[Deps], PartT]) -> PartT:
        """Return the one object of a kind that several handlers share, made by the first that asks.

        A part may have routes and background work of its own: see `HasRoutes` and `HasWork` in service/action.py.
        """
        if kind not in self.parts:
            self.parts[kind] = kind(self)
        part: PartT = self.parts[kind]
        return part
