"""What tests may ask for."""

from __future__ import annotations

import io
import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg
import pytest
from flask.testing import FlaskClient
from psycopg import sql

from actions.deps import Deps
from app import create_app
from service import cache, logs
from service.cache import Cache
from service.config import SMTP, Config
from service.mail import Mailer
from service.secret import NO_SECRET, Secret
from service.server import background_work
from service.store import Database
from tests import servers
from tests.mailbox import Mailbox, mailbox

SECRET = "test-secret"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with servers.postgres() as url:
        yield url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with servers.redis_server() as url:
        yield url


@pytest.fixture
def database_url(postgres_server: str) -> Iterator[str]:
    """The URL of a new database with the project's migrations applied. It is dropped with the test."""
    name = "test_" + secrets.token_hex(8)
    with psycopg.connect(postgres_server, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        parts = urlsplit(postgres_server)
        query = urlencode([(k, v) for k, v in parse_qsl(parts.query) if k != "dbname"])
        url = urlunsplit((parts.scheme, parts.netloc, "/" + name, query, "")).replace(":/" + name, ":///" + name)
        with psycopg.connect(url, autocommit=True) as conn:
            for migration in servers.migrations():
                conn.execute(migration.encode())
        yield url
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    database = Database(Secret(database_url), 4)
    yield database
    database.close()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy may need longer for an answer than a call waits; then nothing would be kept or limited."""
    monkeypatch.setattr(cache, "OPERATION_SECONDS", 60)


@pytest.fixture
def prefix() -> str:
    """What keys in Redis begin with, so that tests do not meet."""
    return f"test-{secrets.token_hex(8)}:"


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mailbox() as b:
        yield b


class Log(io.StringIO):
    """A stream that also knows the lines that are about to be written."""

    def getvalue(self) -> str:
        for handler in logging.getLogger().handlers:
            handler.flush()
        return super().getvalue()


@pytest.fixture
def log() -> io.StringIO:
    """What is logged from now on."""
    stream = Log()
    logs.setup(0, stream)
    return stream


@pytest.fixture
def deps() -> Deps:
    """What a handler gets. Nothing is connected, and nothing can be."""
    config = Config(admin_secret=Secret(SECRET), database_url=NO_SECRET)
    db = Database(Secret("postgresql://127.0.0.1:1/none"), 1)
    return Deps(config=config, db=db, cache=Cache(None, ""), mail=Mailer(config.smtp))


@dataclass
class Service:
    """The whole service, with a database and a mailbox of its own."""

    client: FlaskClient
    database_url: str
    box: Mailbox
    headers: dict[str, str] = field(default_factory=lambda: {"X-Hasura-Admin-Secret": SECRET})

    def post(self, path: str, body: object) -> tuple[int, dict[str, Any]]:
        """Call an action with the admin secret and return the status and the answer."""
        response = self.client.post(f"/actions/{path}", json=body, headers=self.headers)
        answer: dict[str, Any] = response.get_json()
        return response.status_code, answer

    @contextmanager
    def working(self) -> Iterator[None]:
        """Let the service do its background work meanwhile."""
        stop = threading.Event()
        work = background_work(self.client.application)
        threads = [threading.Thread(target=each.work, args=(stop.is_set,)) for each in work]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def one(self, query: str, *args: object) -> tuple[Any, ...]:
        """Return the one row of a query."""
        with psycopg.connect(self.database_url) as conn:
            (row,) = conn.execute(query.encode(), args).fetchall()
        return row


MakeService = Callable[..., Service]


@pytest.fixture
def make_service(database_url: str, redis_url: str, prefix: str, box: Mailbox, tmp_path: Path) -> MakeService:
    """Make a service; keyword arguments replace parts of its configuration."""

    def make(environ: dict[str, str] | None = None, **changes: Any) -> Service:
        settings: dict[str, Any] = {
            "admin_secret": Secret(SECRET),
            "database_url": Secret(database_url),
            "redis_url": Secret(redis_url),
            "project_name": prefix,
            "public_url": "http://service.test",
            "smtp": SMTP(host="127.0.0.1", port=box.port, sender="Shop <no-reply@shop.test>"),
            "environ": {"STORAGE_DIR": str(tmp_path)} | (environ or {}),
        }
        return Service(create_app(Config(**settings | changes)).test_client(), database_url, box)

    return make


@pytest.fixture
def service(make_service: MakeService) -> Service:
    return make_service()
