"""The service as a program."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from actions.actions_gen import all_actions
from actions.deps import Deps
from tests import servers

ROOT = Path(__file__).resolve().parent.parent


def run(*args: str, **environ: str) -> subprocess.Popen[str]:
    """Run the service with this environment and nothing else."""
    return subprocess.Popen(
        [sys.executable, "-m", "service", *args], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"} | environ,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, _ = process.communicate(timeout=120)
    return process.returncode, out


def get(url: str) -> tuple[int, str]:
    """Ask until something answers."""
    deadline = time.monotonic() + 120
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
    messages = [json.loads(line)["msg"] for line in log.splitlines()]
    assert [m for m in messages if m != "working in the background"] == ["serving", "stopped"]


def test_hangs_up_politely(database_url: str, deps: Deps) -> None:
    """Who sends more than is taken gets an answer that says that the connection ends."""
    port = servers.free_port()
    service = run(PORT=str(port), LISTEN_HOST="127.0.0.1", DATABASE_URL=database_url, HASURA_ADMIN_SECRET="s")

    def post(path: str, body: bytes | list[bytes]) -> tuple[int, str | None]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("POST", path, body, {"X-Hasura-Admin-Secret": "s"})
            response = connection.getresponse()
            return response.status, response.getheader("Connection")
        finally:
            connection.close()

    try:
        get(f"http://127.0.0.1:{port}/healthz")
        assert post("/actions/", b"x") == (404, "keep-alive")
        for action in all_actions(deps)[:1]:
            assert post(f"/actions/{action.path}", b"x" * (20 << 20)) == (413, "close")
            assert post(f"/actions/{action.path}", [b"x" * (1 << 20)] * 20) == (413, "close")
    finally:
        service.send_signal(signal.SIGTERM)
        finish(service)


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
