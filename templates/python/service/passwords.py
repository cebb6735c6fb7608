"""Hashes passwords with Argon2id."""

from __future__ import annotations

import os
import threading

from argon2 import PasswordHasher, Type
from argon2.exceptions import VerifyMismatchError

_TURN_SECONDS = 20


class Hasher:
    """Hashes and compares.

    It runs only so many computations at once as there are processors: each takes 19 MiB, and more in parallel would
    only be slower. The parameters are the minimum of OWASP's password storage cheat sheet: 19 MiB of memory, two
    passes, one lane. A hash names its own parameters, so raising them later leaves old hashes valid.
    """

    def __init__(self) -> None:
        self._hasher = PasswordHasher(
            time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, salt_len=16, type=Type.ID
        )
        self._slots = threading.BoundedSemaphore(os.cpu_count() or 1)

    def hash(self, password: str) -> str:
        """Return the hash of password in PHC format. Raises TimeoutError when its turn does not come."""
        with _Turn(self._slots):
            return self._hasher.hash(password)

    def matches(self, password: str, password_hash: str) -> bool:
        """Whether password_hash was made of password. Raises argon2.exceptions.InvalidHash for text that is no hash."""
        with _Turn(self._slots):
            try:
                return self._hasher.verify(password_hash, password)
            except VerifyMismatchError:
                return False


class _Turn:
    def __init__(self, slots: threading.BoundedSemaphore) -> None:
        self._slots = slots

    def __enter__(self) -> None:
        if not self._slots.acquire(timeout=_TURN_SECONDS):
            raise TimeoutError("wait for a turn to hash a password")

    def __exit__(self, *_: object) -> None:
        self._slots.release()
