"""What the action uploadAndProcessFile promises."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.conftest import Service
from tests.jobs import ADA, by, until


def picture(kind: str, size: tuple[int, int]) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "red").save(out, kind)
    return out.getvalue()


def upload(data: bytes, file_type: str, name: str = "a file", **changes: Any) -> dict[str, Any]:
    return {
        "file_name": name, "file_type": file_type, "file_size": len(data),
        "file_data": base64.b64encode(data).decode(),
    } | changes  # fmt: skip


def fetch(service: Service, url: str) -> bytes:
    response = service.client.get(url.removeprefix("http://service.test"))
    assert response.status_code == 200
    return response.get_data()


@pytest.mark.parametrize(
    ("kind", "file_type", "options", "size"),
    [
        ("PNG", "image/png", None, (200, 100)),
        ("JPEG", "image/jpeg", {"thumbnail_width": 50, "thumbnail_height": 500}, (50, 25)),
        ("GIF", "IMAGE/GIF", {"thumbnail_height": 20}, (40, 20)),
        ("PNG", "image/png", {"thumbnail_width": 2000, "thumbnail_height": 2000}, (400, 200)),
    ],
)
def test_image(
    service: Service, tmp_path: Path, kind: str, file_type: str, options: dict[str, int] | None, size: tuple[int, int]
) -> None:
    data = picture(kind, (400, 200))
    _, got = service.post("upload-and-process-file", by(ADA, upload(data, file_type, processing_options=options)))
    assert (got["success"], got["message"], got["errors"], got["error_code"]) == (True, "File uploaded", None, None)
    assert got["file_url"].startswith(f"http://service.test/files/{got['file_id']}/a%20file?expires=")
    assert fetch(service, got["file_url"]) == data
    assert service.one("SELECT user_id, content_type, size FROM files") == (ADA, file_type.lower(), len(data))
    with service.working():
        job = until(service, got["processing_job_id"])
    assert (job.status, job.kind, job.user_id) == ("SUCCEEDED", "file", ADA)
    name = "thumbnail.jpg" if kind == "JPEG" else "thumbnail.png"
    assert job.result_key == f"{job.id}/{name}"
    with Image.open(tmp_path / job.id / name) as thumbnail:
        assert (thumbnail.size, thumbnail.format) == (size, "JPEG" if kind == "JPEG" else "PNG")
    assert json.loads((tmp_path / job.id / "result.json").read_bytes()) == {
        "width": 400, "height": 200, "format": kind.lower(), "thumbnail_key": job.result_key,
    }  # fmt: skip


def test_csv(service: Service, tmp_path: Path) -> None:
    data = '\ufeffn,t\r\n 1 ,x\r\n-2.5,\r\n\r\n1e3,"a\nb"\r\n+.5,7,8\r\n.,0x1\r\n1e999\r\n'.encode()
    _, got = service.post("upload-and-process-file", by(ADA, upload(data, "text/csv; charset=utf-8")))
    with service.working():
        job = until(service, got["processing_job_id"])
    assert job.result_key == f"{job.id}/result.json"
    assert (tmp_path / job.result_key).read_text() == (
        '{"rows":6,"columns":[{"name":"n","empty":0,"numeric":4,"min":-2.5,"max":1000},'
        '{"name":"t","empty":2,"numeric":1,"min":7,"max":7}]}'
    )


def test_pdf(service: Service) -> None:
    """It is stored, and there is nothing more to do."""
    _, got = service.post("upload-and-process-file", by(ADA, upload(b"%PDF-1.7 ...", "application/pdf", "ä.pdf")))
    assert (got["success"], got["processing_job_id"]) == (True, None)
    assert fetch(service, got["file_url"]) == b"%PDF-1.7 ..."


PNG = picture("PNG", (1, 1))


@pytest.mark.parametrize(
    ("given", "field", "code"),
    [
        (upload(PNG, "image/png", "../x"), "file_name", "INVALID_FORMAT"),
        (upload(PNG, "image/png", ".."), "file_name", "INVALID_FORMAT"),
        (upload(PNG, "image/png", "a\\b"), "file_name", "INVALID_FORMAT"),
        (upload(PNG, "image/png", "a\nb"), "file_name", "INVALID_FORMAT"),
        (upload(PNG, "image/png", ""), "file_name", "INVALID_FORMAT"),
        (upload(PNG, "image/png", "x" * 256), "file_name", "INVALID_FORMAT"),
        (upload(PNG, "image/png", file_data="?"), "file_data", "INVALID_FORMAT"),
        (upload(PNG, "image/png", file_data="A"), "file_data", "INVALID_FORMAT"),
        (upload(PNG, "image/png", file_size=1), "file_size", "SIZE_MISMATCH"),
        (upload(b"x" * (10 << 20) + b"x", "text/csv"), "file_data", "FILE_TOO_LARGE"),
        (upload(b"MZ\x00", "text/csv"), "file_type", "UNSUPPORTED_TYPE"),
        (upload(b"caf\xe9", "text/csv"), "file_type", "UNSUPPORTED_TYPE"),
        (upload(b"", "text/csv"), "file_data", "REQUIRED_FIELD"),
        (upload(PNG[:20], "image/png"), "file_type", "UNSUPPORTED_TYPE"),
        (upload(PNG, "image/jpeg"), "file_type", "TYPE_MISMATCH"),
        (
            upload(PNG, "image/png", processing_options={"thumbnail_width": 0}),
            "processing_options.thumbnail_width",
            "INVALID_RANGE",
        ),
        (
            upload(PNG, "image/png", processing_options={"thumbnail_height": 2001}),
            "processing_options.thumbnail_height",
            "INVALID_RANGE",
        ),
    ],
)
def test_faults(service: Service, tmp_path: Path, given: dict[str, Any], field: str, code: str) -> None:
    _, got = service.post("upload-and-process-file", by(ADA, given))
    assert (got["success"], got["message"], got["error_code"]) == (False, "Validation failed", "VALIDATION_ERROR")
    assert [(e["field"], e["code"]) for e in got["errors"]] == [(field, code)]
    assert list(tmp_path.iterdir()) == []


def test_too_many_pixels(service: Service) -> None:
    big = io.BytesIO()
    Image.new("1", (8000, 6000)).save(big, "PNG")
    _, got = service.post("upload-and-process-file", by(ADA, upload(big.getvalue(), "image/png")))
    assert [e["code"] for e in got["errors"]] == ["IMAGE_TOO_LARGE"]


def test_damaged_image(service: Service) -> None:
    """Its header is fine, so that only the job finds out."""
    data = picture("PNG", (100, 100))
    _, got = service.post("upload-and-process-file", by(ADA, upload(data[:60], "image/png")))
    with service.working():
        job = until(service, got["processing_job_id"])
    assert (job.status, job.attempts, job.error) == ("FAILED", 1, "The file could not be processed")


def test_needs_a_user(service: Service) -> None:
    assert service.post("upload-and-process-file", by("", upload(PNG, "image/png")))[0] == 401
    body = {"input": {"input": upload(b"x" * (17 << 20), "text/csv")}}
    assert service.post("upload-and-process-file", body)[0] == 413
