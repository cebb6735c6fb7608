"""Becomes the Python service on demand.

Imports the packages that the project's code imports, then waits on standard input. "load" imports the code itself and is
answered on file descriptor 3 with "ok"; code that does not load ends the process with status 1, its fault on standard
error. "serve" runs the service in this very process. An end of the input ends it.

usage: python program.py, in the service's folder
"""

from __future__ import annotations

import ast
import atexit
import importlib
import os
import pathlib
import sys
import time

SKIPPED = {"tests", "data", "__pycache__", "node_modules"}
# What gunicorn loads by name.
SERVER = ["gunicorn.app.wsgiapp", "gunicorn.arbiter", "gunicorn.workers.gthread", "gunicorn.glogging"]


def project_files(root: pathlib.Path) -> list[pathlib.Path]:
    found = []
    for folder, names, files in os.walk(root):
        names[:] = [n for n in names if n not in SKIPPED and not n.startswith(".")]
        found += [pathlib.Path(folder, f) for f in files if f.endswith(".py")]
    return found


def imported(files: list[pathlib.Path]) -> set[str]:
    """The names of all modules that the files import."""
    modules = set()
    for file in files:
        try:
            tree = ast.parse(file.read_bytes())
        except (SyntaxError, ValueError, OSError):
            continue  # told when the code is loaded
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                modules |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                modules.add(node.module)
    return modules


def preload() -> None:
    root = pathlib.Path.cwd()
    own = {p.stem if p.is_file() else p.name for p in root.iterdir()}
    modules = {m for m in imported(project_files(root)) if m.partition(".")[0] not in own | {"__future__"}}
    for name in [*sorted(modules), *SERVER]:
        try:
            importlib.import_module(name)
        except Exception:  # whatever it is, the code will say so when it is loaded
            continue


class Impatient:
    """The module time, but for sleeps that are no longer than they have to be.

    When it stops, gunicorn looks every 0.1 s whether its workers have ended.
    """

    def __getattr__(self, name: str) -> object:
        return getattr(time, name)

    @staticmethod
    def sleep(seconds: float) -> None:
        time.sleep(min(seconds, 0.005))


def leave(status: object) -> None:
    """End without taking every module apart, which takes longer than all else that a restart needs."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else int(status is not None))


def gunicorn() -> None:
    arbiter = importlib.import_module("gunicorn.arbiter")
    arbiter.time = Impatient()
    master, spawn = os.getpid(), arbiter.Arbiter.spawn_worker

    def spawn_worker(self: object) -> object:
        try:
            return spawn(self)
        except SystemExit as e:
            if os.getpid() != master:
                leave(e.code)
            raise

    arbiter.Arbiter.spawn_worker = spawn_worker
    try:
        importlib.import_module("gunicorn.app.wsgiapp").run()
    except SystemExit as e:
        if e.code and not isinstance(e.code, int):
            print(e.code, file=sys.stderr)
        leave(e.code)


def serve() -> None:
    run = importlib.import_module("service.__main__").main
    execv = os.execv

    def instead(path: str, args: list[str]) -> None:
        # A new program would have to import everything again.
        if path == sys.executable and args[1:3] == ["-m", "gunicorn"]:
            sys.argv = ["gunicorn", *args[3:]]
            gunicorn()
        execv(path, args)

    os.execv = instead  # type: ignore[assignment]
    sys.exit(run([]))


def main() -> None:
    preload()
    sys.path[0] = os.getcwd()
    for line in iter(lambda: os.read(0, 64), b""):
        if line.strip() == b"load":
            status = importlib.import_module("service.__main__").main(["check"])
            if status:
                sys.exit(status)
            os.write(3, b"ok\n")
        else:
            os.close(3)
            serve()


main()
