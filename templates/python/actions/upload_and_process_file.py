"""The action uploadAndProcessFile."""

from __future__ import annotations

import base64
import binascii
import logging
import unicodedata
import uuid

from actions.deps import Deps
from actions.types_gen import (
    FileUploadInput,
    FileUploadOutput,
    ProcessingOptions,
    UploadAndProcessFileArgs,
    ValidationError,
)
from service import content, errors
from service.action import Request
from service.file_work import FAILED, Box, count_rows, make_thumbnail
from service.files import add_file
from service.job_work import JobWork, Run
from service.storage import storage

log = logging.getLogger(__name__)

KIND = "file"

MAX_FILE_BYTES = 10 << 20
_MAX_PIXELS = 40_000_000
_MAX_NAME_BYTES = 255
_MAX_THUMBNAIL = 2000


class UploadAndProcessFileHandler:
    """Stores a file, and has images and CSV files processed in the background."""

    max_body_bytes = 16 << 20

    def __init__(self, deps: Deps) -> None:
        self._unauthorized_role = deps.config.unauthorized_role
        self._db = deps.db
        self._storage = deps.part(storage)
        self._work = deps.part(JobWork)
        self._work.register(KIND, self._process)

    def handle(self, req: Request[UploadAndProcessFileArgs]) -> FileUploadOutput:
        """Store a file."""
        user_id = req.session.signed_in(self._unauthorized_role)
        given = req.args.input
        data, faults = _check(given)
        if faults:
            return FileUploadOutput(
                success=False, message="Validation failed", errors=faults, error_code=errors.VALIDATION
            )
        kind = content.sniff(data)
        file_id = str(uuid.uuid4())
        key = f"{file_id}/{given.file_name}"
        with self._storage.create(key, kind) as out:
            out.write(data)
        try:
            job_id = self._note(given, data, kind, file_id, key, user_id)
        except BaseException:
            self._storage.remove(key)
            raise
        log.info("file uploaded", extra={"file_id": file_id, "size": len(data), "content_type": kind})
        return FileUploadOutput(
            success=True,
            file_id=file_id,
            file_url=self._storage.url(key),
            processing_job_id=job_id,
            message="File uploaded",
        )

    def _note(self, given: FileUploadInput, data: bytes, kind: str, file_id: str, key: str, user_id: str) -> str | None:
        self._work.prepare()
        with self._db.connection() as conn, conn.transaction():
            add_file(
                conn, file_id=file_id, user_id=user_id, name=given.file_name, content_type=kind, data=data, key=key
            )
            if kind not in (*content.IMAGES, content.CSV):
                return None
            box = _box(given.processing_options)
            payload = {"key": key, "kind": kind, "size": len(data), "width": box.width, "height": box.height}
            return self._work.add(conn, KIND, user_id, payload).id

    def _process(self, run: Run) -> str:
        payload = run.job.payload
        run.step(0, 1)
        with run.failing(FAILED):
            if payload["kind"] == content.CSV:
                return count_rows(self._storage, run.job.id, payload["key"], payload["size"], run.step)
            box = Box(payload["width"], payload["height"])
            return make_thumbnail(self._storage, run.job.id, payload["key"], payload["kind"], box)


def _box(options: ProcessingOptions | None) -> Box:
    default = Box()
    if options is None:
        return default
    return Box(
        options.thumbnail_width if options.thumbnail_width is not None else default.width,
        options.thumbnail_height if options.thumbnail_height is not None else default.height,
    )


def _check(given: FileUploadInput) -> tuple[bytes, list[ValidationError]]:
    """Return the file's content and what is wrong with the input."""
    found = [] if _valid_name(given.file_name) else [_fault("file_name", errors.FORMAT, "File name is not valid")]
    data, wrong = _content(given)
    if wrong is not None:
        found.append(wrong)
    box = _box(given.processing_options)
    for side, value in (("width", box.width), ("height", box.height)):
        if not 1 <= value <= _MAX_THUMBNAIL:
            message = f"Thumbnail {side} must be from 1 to {_MAX_THUMBNAIL}"
            found.append(_fault(f"processing_options.thumbnail_{side}", errors.RANGE, message))
    return data, found


def _fault(field: str, code: str, message: str) -> ValidationError:
    return ValidationError(field=field, code=code, message=message)


def _content(given: FileUploadInput) -> tuple[bytes, ValidationError | None]:
    """Return the first thing that is wrong with the content: what comes later rests on what comes before."""
    if not given.file_data:
        return b"", _fault("file_data", errors.REQUIRED, "File data is required")
    try:
        data = base64.b64decode(given.file_data, validate=True)
    except (binascii.Error, ValueError):
        return b"", _fault("file_data", errors.FORMAT, "File data is not valid base64")
    if len(data) > MAX_FILE_BYTES:
        return data, _fault("file_data", "FILE_TOO_LARGE", "File is larger than 10 MiB")
    if len(data) != given.file_size:
        return data, _fault("file_size", "SIZE_MISMATCH", "File size does not match the data")
    kind = content.sniff(data)
    pixels = content.pixels(data) if kind in content.IMAGES else 1
    if not kind or not pixels:
        return data, _fault("file_type", "UNSUPPORTED_TYPE", "File type is not supported")
    if _claim(given.file_type) != kind:
        return data, _fault("file_type", "TYPE_MISMATCH", "File type does not match the content")
    if pixels > _MAX_PIXELS:
        return data, _fault("file_data", "IMAGE_TOO_LARGE", "Image is larger than 40 megapixels")
    return data, None


def _valid_name(name: str) -> bool:
    """Let in what can be the last element of a path on any system and in any URL."""
    return (
        0 < len(name.encode()) <= _MAX_NAME_BYTES
        and name not in (".", "..")
        and not any(c in "/\\" or unicodedata.category(c) == "Cc" for c in name)
    )


def _claim(file_type: str) -> str:
    claim = file_type.partition(";")[0].strip().lower()
    return content.JPEG if claim == "image/jpg" else claim
