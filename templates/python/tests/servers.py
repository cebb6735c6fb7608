"""Real servers for tests: those of DATABASE_URL and REDIS_URL, or some of their own where the programs are installed.

Where there is neither, a test is skipped; with CI set it fails.
"""

from __future__ import annotations

import errno
import glob
import os
import pwd
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import psycopg
import pytest
import redis

_START_SECONDS = 120


@contextmanager
def postgres() -> Iterator[str]:
    """Yield the URL of a Postgres server."""
    if url := os.environ.get("DATABASE_URL"):
        yield url
        return
    found = shutil.which("initdb")
    folders = [str(Path(found).resolve().parent)] if found else sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    if not folders:
        _missing("postgres", "DATABASE_URL")
    with _folder() as folder:
        data = f"{folder}/data"
        _run([f"{folders[-1]}/initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"], folder)
        # The port names the socket; nothing listens on TCP.
        args = ["-D", data, "-k", folder, "-p", "5432", "-c", "listen_addresses=", "-c", "fsync=off"]
        url = f"postgresql:///postgres?user=postgres&host={folder}&port=5432"
        with _daemon([f"{folders[-1]}/postgres", *args], folder, lambda: psycopg.connect(url).close()):
            yield url


@contextmanager
def redis_server() -> Iterator[str]:
    """Yield the URL of a Redis server."""
    if url := os.environ.get("REDIS_URL"):
        yield url
        return
    program = shutil.which("redis-server")
    if program is None:
        _missing("redis-server", "REDIS_URL")
    with _folder() as folder:
        path = f"{folder}/redis.sock"
        args = [program, "--port", "0", "--unixsocket", path, "--save", "", "--dir", folder]
        url = f"unix://{path}"
        with _daemon(args, folder, lambda: redis.Redis.from_url(url).ping()):
            yield url


def _missing(name: str, variable: str) -> NoReturn:
    reason = f"{name} is not installed; install it or set {variable}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _user() -> str | None:
    """Whom servers run as when the tests run as root, which Postgres refuses."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@contextmanager
def _folder() -> Iterator[str]:
    # The path is short, because that of a socket may have some hundred characters only.
    folder = tempfile.mkdtemp(prefix="test", dir="/tmp")
    try:
        if user := _user():
            shutil.chown(folder, user)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(args: list[str], folder: str) -> None:
    done = subprocess.run(args, cwd=folder, user=_user(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(f"{args[0]}: {done.stdout}{done.stderr}")


@contextmanager
def _daemon(args: list[str], folder: str, probe: Callable[[], object]) -> Iterator[None]:
    log = Path(folder, "log")
    with log.open("w") as out:
        process = subprocess.Popen(args, cwd=folder, user=_user(), stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                probe()
                break
            except (psycopg.Error, redis.RedisError) as e:
                if time.monotonic() > deadline or process.poll() is not None:
                    pytest.fail(f"{args[0]} does not start: {e}\n{log.read_text()}")
                time.sleep(0.05)
        yield
    finally:
        process.send_signal(2)
        process.wait()


def free_port() -> int:
    """Return a port that nothing listens on, below those that systems give to outgoing connections."""
    while True:
        port = random.randrange(10000, 15000)
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED:
                return port


def migrations() -> list[str]:
    """Return every up.sql of the project, oldest first. They are in the folder hasura above the service."""
    for folder in Path(__file__).resolve().parents:
        if (folder / "hasura").is_dir():
            return [p.read_text() for p in sorted(folder.glob("hasura/migrations/default/*/up.sql"))]
    raise FileNotFoundError("hasura, in a folder above")
