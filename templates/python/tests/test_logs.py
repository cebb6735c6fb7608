"""What the log's handler promises."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from service import logs

_log = logging.getLogger("service.test")


class Writes(io.StringIO):
    """Counts how often something is written."""

    count = 0

    def write(self, text: str, /) -> int:
        self.count += 1
        return super().write(text)


def _await(stream: io.StringIO, text: str) -> None:
    deadline = time.monotonic() + 60
    while text not in stream.getvalue():
        assert time.monotonic() < deadline, f"not logged: {text}"
        time.sleep(0.001)


def test_lines_are_written_together() -> None:
    stream = Writes()
    logs.setup(logging.INFO, stream)

    def work() -> None:
        for _ in range(100):
            _log.info("line")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    _log.info("last")
    _await(stream, "last")
    lines = stream.getvalue().splitlines()
    assert [json.loads(line)["msg"] for line in lines] == ["line"] * 400 + ["last"]
    assert stream.count < 200
    before = stream.count
    _log.info("later")  # the writer goes on
    _await(stream, "later")
    assert stream.count == before + 1


def test_warnings_do_not_wait() -> None:
    stream = Writes()
    logs.setup(logging.INFO, stream)
    _log.info("first")
    _log.warning("second")
    assert [json.loads(line)["msg"] for line in stream.getvalue().splitlines()] == ["first", "second"]


def test_a_stream_that_fails_does_no_harm() -> None:
    stream = Writes()
    logs.setup(logging.INFO, stream)
    stream.close()
    _log.warning("lost")
    _log.info("lost")
    time.sleep(0.05)


_FORKS = """
import logging, os, sys
from service import logs
logs.setup(logging.INFO)
log = logging.getLogger("service.test")
log.info("parent")
if os.fork() == 0:
    log.info("child")
    sys.exit(0)
os.wait()
log.info("end")
"""


def test_a_forked_process_writes_its_own_lines() -> None:
    for _ in range(5):
        done = subprocess.run(
            [sys.executable, "-c", _FORKS],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        )
        assert sorted(json.loads(line)["msg"] for line in done.stdout.splitlines()) == ["child", "end", "parent"]
        assert done.stderr == ""
