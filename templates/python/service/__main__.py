"""The service's program.

python -m service              serve until SIGTERM or SIGINT
python -m service check        load the code without serving; exit status 0 when it loads
python -m service healthcheck  ask a running service for its health; exit status 0 when it is alive
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
import urllib.request


def main(args: list[str]) -> int:
    """Run the program and return its exit status."""
    if args == ["check"]:
        return _check()
    if args == ["healthcheck"]:
        return _healthcheck()
    if args:
        print("usage: python -m service [check | healthcheck]", file=sys.stderr)  # noqa: T201
        return 2
    # In the place of this process, so that signals reach gunicorn. It reads gunicorn.conf.py.
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn"])  # noqa: S606 # our own interpreter


def _check() -> int:
    try:
        importlib.import_module("app")
    except Exception as e:  # noqa: BLE001 # whatever the code does wrong
        told = traceback.TracebackException.from_exception(e)
        here = os.getcwd() + os.sep
        # The way through Python's own import machinery says nothing.
        told.stack = traceback.StackSummary.from_list(
            [frame for frame in told.stack if frame.filename.startswith(here) and frame.filename != __file__]
        )
        print("".join(told.format()).replace(here, ""), end="", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _healthcheck() -> int:
    """Let a container without other programs probe itself."""
    url = f"http://127.0.0.1:{os.environ.get('PORT') or '3002'}/healthz"
    try:
        with urllib.request.urlopen(url, timeout=3):
            return 0
    except OSError as e:
        print(f"healthz: {e}", file=sys.stderr)  # noqa: T201
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
