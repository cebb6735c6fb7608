"""The storage, in a folder and in a bucket."""

from __future__ import annotations

import io
import os
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from actions.deps import Deps
from service.config import ConfigError
from service.storage import Storage, is_key, storage
from tests.s3_server import S3Server, s3_server


@pytest.fixture
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


def environ_of(kind: str, tmp_path: Path, s3: S3Server) -> dict[str, str]:
    if kind == "folder":
        return {"STORAGE_DIR": str(tmp_path / "files")}
    return {"S3_ENDPOINT": s3.url, "S3_BUCKET": "shop-files", "S3_ACCESS_KEY": "access", "S3_SECRET_KEY": "hidden"}


def open_storage(deps: Deps, environ: dict[str, str]) -> Storage:
    return replace(deps, config=replace(deps.config, environ=environ), parts={}).part(storage)


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_keeps(deps: Deps, tmp_path: Path, s3: S3Server, kind: str) -> None:
    files = open_storage(deps, environ_of(kind, tmp_path, s3))
    for data in (b"first", b"", b"x" * (1 << 20)):
        with files.create("id/a name", "text/csv") as out:
            out.write(data)
        with files.open("id/a name") as file:
            assert file.read() == data
    with suppress(RuntimeError), files.create("id/a name", "text/csv") as out:
        out.write(b"half")
        raise RuntimeError
    with files.open("id/a name") as file:
        assert file.read() == b"x" * (1 << 20)
    for _ in "once", "again":
        files.remove("id/a name")
    with pytest.raises(FileNotFoundError), files.open("id/a name"):
        pass


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_reads_text(deps: Deps, tmp_path: Path, s3: S3Server, kind: str) -> None:
    files = open_storage(deps, environ_of(kind, tmp_path, s3))
    with files.create("id/a.csv", "text/csv") as out:
        out.write("ä,b\r\n1,2\r\n".encode())
    with files.open("id/a.csv") as file:
        assert list(io.TextIOWrapper(file, "utf-8", newline="")) == ["ä,b\r\n", "1,2\r\n"]


def test_links_to_a_bucket(deps: Deps, tmp_path: Path, s3: S3Server) -> None:
    files = open_storage(deps, environ_of("bucket", tmp_path, s3))
    with files.create("id/ä.csv", "text/csv") as out:
        out.write(b"data")
    url = files.url("id/ä.csv")
    assert "hidden" not in url
    with urllib.request.urlopen(url) as response:
        assert response.read() == b"data"
        assert response.headers["Content-Type"] == "text/csv"
        assert response.headers["X-Expires"] == "900"
        assert response.headers["Content-Disposition"].startswith("attachment")


def test_links_for_browsers(deps: Deps, tmp_path: Path, s3: S3Server) -> None:
    """They carry the address at which browsers reach the bucket, which may be another one."""
    environ = environ_of("bucket", tmp_path, s3) | {"S3_PUBLIC_ENDPOINT": "https://files.example.com"}
    files = open_storage(deps, environ)
    with files.create("id/a.csv", "text/csv") as out:
        out.write(b"data")
    assert files.url("id/a.csv").startswith("https://files.example.com/shop-files/id/a.csv?")


def test_what_a_killed_process_left(deps: Deps, tmp_path: Path) -> None:
    """It goes after a while."""
    folder = tmp_path / ".new"
    folder.mkdir()
    for name, age in ("old", 4000), ("young", 10):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, times=(time.time() - age,) * 2)
    files = open_storage(deps, {"STORAGE_DIR": str(tmp_path)})
    with files.create("id/name", "text/csv") as out:
        out.write(b"whole")
    assert [file.name for file in folder.iterdir()] == ["young"]


@pytest.mark.parametrize(
    ("key", "good"),
    [
        ("id/name", True), ("id/a b.c", True), ("id/.hidden", True),
        ("", False), ("id", False), ("/name", False), ("id/", False), ("a/b/c", False), ("../name", False),
        ("id/..", False), ("./name", False), ("id/a\\b", False), ("id/a\0b", False), (".x/name", False),
        (".new/x", False),
    ],
)  # fmt: skip
def test_keys(key: str, good: bool) -> None:
    assert is_key(key) == good


def test_half_configured(deps: Deps) -> None:
    with pytest.raises(ConfigError) as caught:
        open_storage(deps, {"S3_ENDPOINT": "http://127.0.0.1:1"})
    for name in ("S3_BUCKET", "S3_ACCESS_KEY", "S3_SECRET_KEY"):
        assert name in str(caught.value)
