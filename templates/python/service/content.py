"""Finds out what a file is from its content: what its sender says is only a claim."""

from __future__ import annotations

import io
import re
import warnings

PNG, JPEG, GIF, PDF, CSV = "image/png", "image/jpeg", "image/gif", "application/pdf", "text/csv"
IMAGES = (PNG, JPEG, GIF)

_MAGIC = {
    b"\x89PNG\r\n\x1a\n": PNG,
    b"\xff\xd8\xff": JPEG,
    b"GIF87a": GIF,
    b"GIF89a": GIF,
    b"%PDF-": PDF,
}

# Text has no control characters but tab, line feed and carriage return.
_control = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def sniff(data: bytes) -> str:
    """Return the media type of a file, or "" for one that is none of those above. Any text may be CSV."""
    for magic, kind in _MAGIC.items():
        if data.startswith(magic):
            return kind
    if _control.search(data):
        return ""
    try:
        data.decode()
    except UnicodeDecodeError:
        return ""
    return CSV


def pixels(data: bytes) -> int:
    """Return how many pixels an image has, or 0 for one that cannot be read. Only its header is looked at."""
    from PIL import Image  # only here: it is not needed otherwise

    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(data)) as image:
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return image.width * image.height
    except Image.DecompressionBombError:
        return 1 << 62
    except (OSError, SyntaxError, ValueError):
        return 0
