"""Links to files in the storage, which work for a while and for whoever has them.

Every service of the project signs them alike, so each serves what another has signed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

from flask import Flask, Response, request, send_file

from actions.deps import Deps
from service import errors
from service.config import Reader
from service.errors import ActionError

if TYPE_CHECKING:
    from service.storage import FolderStorage

_PATH = "/files/"
_TYPES = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".pdf": "application/pdf",
}
"""By the ends of names. What is called otherwise, such as a page, is nothing that a browser would show."""

_PURPOSE = b"nself file url v1"


class FileLinks:
    """Signs links and serves what they lead to."""

    def __init__(self, deps: Deps) -> None:
        r = Reader(deps.config.environ)
        self._seconds = r.integer("FILE_URL_TTL_SECONDS", 900, 1, 604_800)
        r.finish()
        self._public_url = deps.config.public_url
        # A key of its own: whoever should learn it still does not know the secret.
        self._key = hmac.digest(deps.config.admin_secret.reveal().encode(), _PURPOSE, hashlib.sha256)
        self._storage: FolderStorage | None = None

    def serve(self, storage: FolderStorage) -> None:
        """Say where the files lie."""
        self._storage = storage

    def routes(self, app: Flask) -> None:
        """Add the page that links lead to."""
        app.add_url_rule(_PATH + "<path:key>", "file", self._answer, methods=["GET"])

    def sign(self, key: str) -> str:
        """Return a link to the file with this key."""
        expires = int(time.time()) + self._seconds
        path = _PATH + quote(key, safe="/$&+,:;=@")
        return f"{self._public_url}{path}?expires={expires}&signature={self._signature(key, str(expires))}"

    def _signature(self, key: str, expires: str) -> str:
        digest = hmac.digest(self._key, f"{_PATH}{key}\n{expires}".encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def _answer(self, key: str) -> Response:
        expires, given = request.args.get("expires", ""), request.args.get("signature", "")
        want = self._signature(key, expires)
        if not hmac.compare_digest(given.encode(), want.encode()):
            raise errors.forbidden("Link is not valid")
        if time.time() >= int(expires):
            raise ActionError("Link has expired", "EXPIRED", 410)
        path = self._storage.path(key) if self._storage else None
        if path is None:
            raise ActionError("File not found", errors.NOT_FOUND, 404)
        kind = _TYPES.get(path.suffix.lower(), "application/octet-stream")
        response = send_file(path, kind, as_attachment=True, download_name=path.name, max_age=0)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "private, no-store"
        response.headers["Referrer-Policy"] = "no-referrer"  # the address lets in whoever has it
        return response
