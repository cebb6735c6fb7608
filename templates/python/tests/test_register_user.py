"""What the action registerUser promises."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from service.config import SMTP
from service.passwords import Hasher
from service.secret import Secret
from tests.conftest import SECRET, MakeService, Service
from tests.proxy import Proxy

USER = {"email": "test@example.com", "password": "password123", "name": "Test User"}


def engine(given: object) -> dict[str, Any]:
    """The engine's body."""
    return {
        "action": {"name": "registerUser"},
        "input": {"input": given},
        "session_variables": {"x-hasura-role": "public"},
        "request_query": "mutation { ... }",
    }


def direct(given: object) -> dict[str, Any]:
    """What people write by hand."""
    return {"input": given}


@pytest.mark.parametrize("body", [engine, direct])
def test_registers(service: Service, log: io.StringIO, body: Any) -> None:
    given = USER | {"email": " Test@Example.com ", "name": " Test User ", "company": "Acme"}
    status, got = service.post("register-user", body(given))
    user_id = got["user"]["id"]
    assert (status, got) == (
        200,
        {
            "success": True,
            "user": {"id": user_id, "email": "test@example.com", "name": "Test User", "email_verified": False},
            "message": "User registered successfully. Please check your email for verification.",
            "errors": None,
            "error_code": None,
        },
    )
    password_hash, company = service.one("SELECT password_hash, company FROM users WHERE id::text = %s", user_id)
    assert Hasher().matches("password123", password_hash)
    assert not Hasher().matches("password124", password_hash)
    assert company == "Acme"
    for secret in ("password123", password_hash, SECRET):
        assert secret not in log.getvalue()


def test_duplicate(service: Service) -> None:
    assert service.post("register-user", direct(USER))[1]["success"] is True
    assert service.post("register-user", direct(USER | {"email": "TEST@example.com"})) == (
        200,
        {
            "success": False,
            "user": None,
            "message": "Email already registered",
            "errors": [
                {"field": "email", "message": "Email is already in use", "code": "EMAIL_ALREADY_REGISTERED"},
            ],
            "error_code": "EMAIL_ALREADY_REGISTERED",
        },
    )


def test_race(service: Service) -> None:
    """However many register one address at once, one succeeds and the others learn why they do not."""

    def register(_: int) -> str:
        client = service.client.application.test_client()
        other = Service(client, service.database_url, service.box)
        return str(other.post("register-user", engine(USER))[1]["message"])

    with ThreadPoolExecutor(10) as pool:
        outcomes = sorted(pool.map(register, range(20)))
    assert outcomes == ["Email already registered"] * 19 + [
        "User registered successfully. Please check your email for verification."
    ]


def test_mail_fails(make_service: MakeService, log: io.StringIO) -> None:
    service = make_service(smtp=SMTP())
    _, got = service.post("register-user", direct(USER))
    assert got["success"] is True
    assert got["message"] == "User registered successfully, but the verification email could not be sent."
    assert "verification mail not sent" in log.getvalue()


def test_rate_limit(service: Service) -> None:
    body = {"input": {"input": {}}, "session_variables": {"x-hasura-role": "user", "x-hasura-user-id": "7"}}
    assert [service.post("register-user", body)[0] for _ in range(5)] == [200] * 5
    status, got = service.post("register-user", body)
    assert (status, got["error_code"]) == (429, "RATE_LIMITED")
    assert got["message"].startswith("Too many requests. Please try again in ")


def test_postgres_goes_and_comes_back(make_service: MakeService, database_url: str, log: io.StringIO) -> None:
    proxy = Proxy(database_url)
    name = database_url.rsplit("/", 1)[1].split("?")[0]
    service = make_service(database_url=Secret(f"postgresql://postgres@127.0.0.1:{proxy.port}/{name}"))
    assert service.post("register-user", direct(USER))[1]["success"] is True
    proxy.down()
    status, got = service.post("register-user", direct(USER))
    assert (status, got["message"]) == (500, "Internal server error")
    assert service.client.get("/readyz").status_code == 503
    assert "action failed" in log.getvalue()
    proxy.up()
    assert service.post("register-user", direct(USER))[1]["message"] == "Email already registered"
    assert service.client.get("/readyz").status_code == 200


def test_redis_is_not_needed(make_service: MakeService) -> None:
    service = make_service(redis_url=Secret("redis://127.0.0.1:1"))
    assert service.post("register-user", engine(USER))[1]["success"] is True
    assert service.client.get("/readyz").get_json() == {
        "status": "degraded",
        "checks": {"postgres": "up", "redis": "down"},
    }
