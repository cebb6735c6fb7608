"""The service as a program."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests import servers

ROOT = Path(__file__).resolve().parent.parent


def run(*args: str, **environ: str) -> subprocess.Popen[str]:
    """Run the service with this environment and nothing else."""
    return subprocess.Popen(
        [sys.executable, "-m", "service", *args], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"} | environ,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, _ = process.communicate(timeout=30)
    return process.returncode, out


def get(url: str) -> tuple[int, str]:
    """Ask until something answers."""
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def test_life(database_url: str, redis_url: str) -> None:
    port = str(servers.free_port())
    environ = {
        "PORT": port, "LISTEN_HOST": "127.0.0.1", "DATABASE_URL": database_url, "REDIS_URL": redis_url,
        "HASURA_ADMIN_SECRET": "hidden-secret",
    }  # fmt: skip
    assert finish(run("healthcheck", **environ))[0] == 1
    service = run(**environ)
    try:
        assert get(f"http://127.0.0.1:{port}/healthz")[0] == 200
        assert finish(run("healthcheck", **environ)) == (0, "")
        assert get(f"http://127.0.0.1:{port}/readyz") == (
            200,
            '{"status":"ready","checks":{"postgres":"up","redis":"up"}}\n',
        )
    finally:
        service.send_signal(signal.SIGTERM)
    status, log = finish(service)
    assert status == 0
    assert [json.loads(line)["msg"] for line in log.splitlines()] == ["serving", "stopped"]


def test_starts_alone() -> None:
    """The service starts while Postgres and Redis are down, and says that it is not ready."""
    port = str(servers.free_port())
    service = run(
        PORT=port, LISTEN_HOST="127.0.0.1", DATABASE_URL="postgres://u:hidden-secret@127.0.0.1:1/d",
        REDIS_URL="redis://:hidden-secret@127.0.0.1:1", HASURA_ADMIN_SECRET="s",
    )  # fmt: skip
    try:
        assert get(f"http://127.0.0.1:{port}/readyz") == (
            503,
            '{"status":"unready","checks":{"postgres":"down","redis":"down"}}\n',
        )
    finally:
        service.send_signal(signal.SIGTERM)
    _, log = finish(service)
    assert "hidden-secret" not in log
    for line in log.splitlines():
        json.loads(line)


def test_refuses_to_start() -> None:
    status, out = finish(run(PORT="many"))
    assert status != 0
    for want in ("PORT must be", "DATABASE_URL is not set", "HASURA_ADMIN_SECRET is not set"):
        assert want in out
    assert "Traceback" not in out


def test_check() -> None:
    assert finish(run("check")) == (0, "")
    status, out = finish(run("no-such-command"))
    assert (status, "usage" in out) == (2, True)
