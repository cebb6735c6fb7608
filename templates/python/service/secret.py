"""Text that must not be printed."""

from __future__ import annotations


class Secret:
    """Shows as "[redacted]" wherever it is printed, logged or formatted. `reveal` gives the text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself, for the one place that must use it."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __str__(self) -> str:
        return "[redacted]" if self._text else ""

    def __repr__(self) -> str:
        return f"Secret('{self}')"


NO_SECRET = Secret("")
"""An empty secret, for what is not configured."""
