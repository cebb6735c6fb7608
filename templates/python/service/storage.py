"""Where files lie: in the folder STORAGE_DIR, or in a bucket of an S3-compatible service when S3_ENDPOINT is set.

A key is "<id>/<name>". What is written appears whole or not at all, in the place of what was there before.
"""

from __future__ import annotations

import os
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast
from urllib.parse import quote, urlsplit

from actions.deps import Deps
from service.config import Reader
from service.file_links import FileLinks

if TYPE_CHECKING:
    from minio import Minio


_NEW = ".new"
"""The folder for files that are being written. No id begins with a dot."""

_LEFT_SECONDS = 3600
"""So old a file in there was left by a process that was killed."""


class Storage(ABC):
    """Keeps files."""

    @abstractmethod
    @contextmanager
    def create(self, key: str, content_type: str) -> Iterator[BinaryIO]:
        """Write a file, which is there when the block has ended without an error."""
        raise NotImplementedError

    @contextmanager
    @abstractmethod
    def open(self, key: str) -> Iterator[BinaryIO]:
        """Read a file. Raises FileNotFoundError."""
        raise NotImplementedError

    @abstractmethod
    def remove(self, key: str) -> None:
        """Delete a file, if it is there."""

    @abstractmethod
    def url(self, key: str) -> str:
        """Return a link to a file that works for FILE_URL_TTL_SECONDS."""


def storage(deps: Deps) -> Storage:
    """Make the storage that the environment names. A part that actions share."""
    r = Reader(deps.config.environ)
    endpoint = r.url("S3_ENDPOINT", "", "http", "https")
    if not endpoint:
        folder = Path(r.text("STORAGE_DIR", "storage"))
        r.finish()
        return FolderStorage(folder, deps.part(FileLinks))
    bucket, seconds = r.text("S3_BUCKET", ""), r.integer("FILE_URL_TTL_SECONDS", 900, 1, 604_800)
    region = r.text("S3_REGION", "us-east-1")
    if not bucket:
        r.problems.append("S3_BUCKET is not set, and S3_ENDPOINT is")
    access, secret = r.secret("S3_ACCESS_KEY"), r.secret("S3_SECRET_KEY")
    public = r.url("S3_PUBLIC_ENDPOINT", endpoint, "http", "https")
    r.finish()
    from minio import Minio  # only here: it is not needed otherwise

    def client(url: str) -> Minio:
        parts = urlsplit(url)
        return Minio(
            endpoint=parts.netloc,
            access_key=access.reveal(),
            secret_key=secret.reveal(),
            secure=parts.scheme == "https",
            region=region,
        )

    return BucketStorage(client(endpoint), client(public), bucket, timedelta(seconds=seconds))


class FolderStorage(Storage):
    """Keeps files in a folder, which services can share."""

    def __init__(self, folder: Path, links: FileLinks) -> None:
        self._folder = folder.absolute()
        self._links = links
        links.serve(self)

    @contextmanager
    def create(self, key: str, content_type: str) -> Iterator[BinaryIO]:  # noqa: ARG002 # the links' answers are all attachments
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        new = self._folder / _NEW
        new.mkdir(exist_ok=True)
        for left in new.iterdir():
            with suppress(FileNotFoundError):
                if left.stat().st_mtime < time.time() - _LEFT_SECONDS:
                    left.unlink()
        with tempfile.NamedTemporaryFile(dir=new, delete=False) as out:
            try:
                yield cast(BinaryIO, out)
                out.flush()
                os.fsync(out.fileno())
                os.chmod(out.name, 0o644)  # other services read it
                os.replace(out.name, path)
            except BaseException:
                os.unlink(out.name)
                raise

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        with self._path(key).open("rb") as file:
            yield file

    def remove(self, key: str) -> None:
        path = self._path(key)
        path.unlink(missing_ok=True)
        with suppress(OSError):
            path.parent.rmdir()  # unless there is more in it

    def path(self, key: str) -> Path | None:
        """Return where a file lies, or None when there is none."""
        try:
            path = self._path(key)
        except FileNotFoundError:
            return None
        return path if path.is_file() else None

    def url(self, key: str) -> str:
        return self._links.sign(key)

    def _path(self, key: str) -> Path:
        """Keys come from links as well: none may lead out of the folder."""
        if not is_key(key):
            raise FileNotFoundError(key)
        return self._folder / key


class BucketStorage(Storage):
    """Keeps files in a bucket, which is made when it is missing."""

    def __init__(self, client: Minio, signer: Minio, bucket: str, ttl: timedelta) -> None:
        """signer: for links, whose host is another one where browsers reach the service by another address."""
        self._client = client
        self._signer = signer
        self._bucket = bucket
        self._ttl = ttl

    @contextmanager
    def create(self, key: str, content_type: str) -> Iterator[BinaryIO]:
        from minio.error import S3Error

        with tempfile.TemporaryFile() as out:
            yield cast(BinaryIO, out)
            size = out.tell()

            def put() -> None:
                out.seek(0)
                self._client.put_object(
                    bucket_name=self._bucket,
                    object_name=key,
                    data=cast(BinaryIO, out),
                    length=size,
                    content_type=content_type,
                )

            try:
                put()
            except S3Error as e:
                if e.code != "NoSuchBucket":
                    raise
                self._client.make_bucket(bucket_name=self._bucket)
                put()

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        from minio.error import S3Error
        from urllib3 import HTTPResponse

        try:
            response = self._client.get_object(bucket_name=self._bucket, object_name=key)
        except S3Error as e:
            if e.code in ("NoSuchKey", "NoSuchBucket"):
                raise FileNotFoundError(key) from e
            raise
        # At its end it would be closed under who reads it through a wrapper.
        cast(HTTPResponse, response).auto_close = False
        try:
            yield cast(BinaryIO, response)
        finally:
            response.close()
            response.release_conn()

    def remove(self, key: str) -> None:
        self._client.remove_object(bucket_name=self._bucket, object_name=key)

    def url(self, key: str) -> str:
        return self._signer.presigned_get_object(
            bucket_name=self._bucket,
            object_name=key,
            expires=self._ttl,
            response_headers={"response-content-disposition": f'attachment; filename="{quote(key.split("/")[1])}"'},
        )


def is_key(key: str) -> bool:
    """Whether a text has the form of a key."""
    parts = key.split("/")
    return (
        len(parts) == 2
        and not key.startswith(".")
        and all(part not in ("", ".", "..") for part in parts)
        and "\0" not in key
        and "\\" not in key
    )
