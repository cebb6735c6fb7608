"""Uploaded files: the table tells about them, their content lies in the storage."""

from __future__ import annotations

import hashlib
from typing import Any

from psycopg import Connection


def add_file(
    conn: Connection[Any], *, file_id: str, user_id: str, name: str, content_type: str, data: bytes, key: str
) -> None:
    """Note a file in the transaction of conn. An empty user_id makes it the admin's."""
    conn.execute(
        "INSERT INTO public.files (id, user_id, name, content_type, size, sha256, storage_key) "
        "VALUES (%s::uuid, %s, %s, %s, %s, %s, %s)",
        (file_id, user_id or None, name, content_type, len(data), hashlib.sha256(data).digest(), key),
    )
