"""Encrypts texts that are kept, with AES-256-GCM under ENCRYPTION_KEY.

What is kept is a nonce of 12 bytes, the ciphertext and the tag. A context, such as the owner's id, is needed to
decrypt: so nobody can put one owner's secret in the place of another's.
"""

from __future__ import annotations

import base64
import binascii
import os

from service.config import Reader
from service.secret import Secret

_KEY_BYTES = 32
_NONCE_BYTES = 12


class NotConfiguredError(Exception):
    """There is no ENCRYPTION_KEY."""


class DecryptionError(Exception):
    """The text was encrypted under another key, or has been changed."""


class Cipher:
    """Encrypts and decrypts."""

    def __init__(self, r: Reader) -> None:
        """Read ENCRYPTION_KEY, 32 bytes in base64. Without it everything raises NotConfiguredError."""
        text = r.text("ENCRYPTION_KEY", "")
        try:
            text = text.rstrip("=").translate(str.maketrans("-_", "+/"))
            self._key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except (binascii.Error, ValueError):
            self._key = b"?"
        if self._key and len(self._key) != _KEY_BYTES:
            r.problems.append(f"ENCRYPTION_KEY must be {_KEY_BYTES} bytes in base64")

    @property
    def configured(self) -> bool:
        """Whether there is a key."""
        return bool(self._key)

    def encrypt(self, text: Secret, context: str) -> bytes:
        """Return the text for keeping."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # only here: it is not needed otherwise

        if not self._key:
            raise NotConfiguredError
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(self._key).encrypt(nonce, text.reveal().encode(), context.encode())

    def decrypt(self, kept: bytes, context: str) -> Secret:
        """Return the text that was kept. Raises DecryptionError."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if not self._key:
            raise NotConfiguredError
        try:
            text = AESGCM(self._key).decrypt(kept[:_NONCE_BYTES], kept[_NONCE_BYTES:], context.encode())
        except (InvalidTag, ValueError):
            raise DecryptionError from None
        return Secret(text.decode())
