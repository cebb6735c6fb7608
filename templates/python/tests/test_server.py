"""The HTTP contract."""

from __future__ import annotations

import io
import json
import math
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from service import graphql, logs
from service.action import Action, Request
from service.errors import ActionError
from service.health import Check
from service.ratelimit import Limiter
from service.secret import NO_SECRET, Secret
from service.server import Options, new_server, watch_stop
from service.session import Session

SECRET = "test-secret"


class EchoInput(graphql.Input):
    text: str
    count: int


class EchoArgs(graphql.Input):
    input: EchoInput


class NoArgs(graphql.Input):
    pass


class Echo:
    """Does what its input says, so that one handler serves all tests."""

    def handle(self, req: Request[EchoArgs]) -> dict[str, Any]:
        given = req.args.input
        if given.text == "fail":
            raise RuntimeError("secret detail")
        if given.text == "not a number":
            return {"text": math.nan}
        if given.text == "refuse":
            raise ActionError("That is not yours", "NOT_YOURS", 403) from RuntimeError("secret detail")
        assert "X-Hasura-Admin-Secret" not in req.headers
        return {
            "text": given.text, "role": req.session.role, "user": req.session.user_id, "id": logs.request_id.get(),
        }  # fmt: skip


class Big:
    """Has a larger limit for its body, and a page."""

    max_body_bytes = 4 << 20

    def routes(self, app: Flask) -> None:
        app.add_url_rule("/page", "page", lambda: "page")

    def handle(self, req: Request[EchoArgs]) -> int:
        return len(req.args.input.text)


class Empty:
    def handle(self, req: Request[NoArgs]) -> list[str]:
        return []


ACTIONS: list[Action[Any, Any]] = [
    Action("echoText", "echo-text", EchoArgs, Echo()),
    Action("big", "big", EchoArgs, Big()),
    Action("none", "none", NoArgs, Empty()),
]


def new_client(**options: Any) -> FlaskClient:
    return new_server(Options(admin_secret=Secret(SECRET), **options), ACTIONS).test_client()


ECHO = "/actions/echo-text"


@pytest.mark.parametrize(
    ("method", "path", "body", "secret", "status", "want"),
    [
        ("POST", ECHO, '{"input":{"input":{"text":"a","count":1}}}', SECRET, 200, '"text":"a"'),
        ("POST", ECHO, '{"input":{"text":"ä"}}', SECRET, 200, '"text":"ä"'),
        ("POST", ECHO, "{}", SECRET, 200, '"text":""'),
        ("POST", ECHO, '{"input":{"input":null}}', SECRET, 200, '"text":""'),
        ("POST", "/actions/none", "{}", SECRET, 200, "[]\n"),
        ("POST", ECHO, "{}", "", 401, '"error_code":"UNAUTHORIZED"'),
        ("POST", ECHO, "{}", "other", 401, '"message":"X-Hasura-Admin-Secret is missing or wrong"'),
        ("POST", "/actions/x", "{}", "x", 401, '"message"'),
        ("POST", "/actions/other", "{}", SECRET, 404, r'"message":"Action \"other\" is not served here"'),
        ("GET", "/other", "", SECRET, 404, '{"success":false,"message":"Not found","error_code":"NOT_FOUND"'),
        ("POST", "/healthz", "", SECRET, 404, '"message":"Not found"'),
        ("GET", ECHO, "", SECRET, 405, '"message":"Actions are called with POST, not GET"'),
        ("OPTIONS", ECHO, "", SECRET, 405, '"error_code":"METHOD_NOT_ALLOWED"'),
        ("POST", ECHO, "", SECRET, 400, '"message":"Request body is not valid JSON"'),
        ("POST", ECHO, '{"input":', SECRET, 400, '"message":"Request body is not valid JSON"'),
        ("POST", ECHO, "{} {}", SECRET, 400, '"message":"Request body is not valid JSON"'),
        ("POST", ECHO, '{"input":NaN}', SECRET, 400, '"message":"Request body is not valid JSON"'),
        ("POST", ECHO, "[" * 100_000, SECRET, 400, '"message":"Request body is not valid JSON"'),
        ("POST", ECHO, r'{"input":{"text":"\ud800"}}', SECRET, 400, '"message":"Request body is not valid JSON"'),
        ("POST", ECHO, "null", SECRET, 400, '"message":"Request body must be an object"'),
        ("POST", ECHO, "[]", SECRET, 400, '"message":"Request body must not be a JSON array"'),
        ("POST", ECHO, '{"input":"x"}', SECRET, 400, '"message":"input must not be a JSON string"'),
        ("POST", ECHO, '{"session_variables":"x"}', SECRET, 400, "session_variables must not be a JSON string"),
        ("POST", ECHO, '{"input":{"text":5}}', SECRET, 400, '"message":"text must not be a JSON number"'),
        ("POST", ECHO, '{"input":{"count":1.50}}', SECRET, 400, '"message":"count must not be a JSON number 1.50"'),
        ("POST", ECHO, '{"input":{"count":"1"}}', SECRET, 400, '"message":"count must not be a JSON string"'),
        ("POST", ECHO, '{"input":{"text":"%s"}}' % ("x" * (1 << 20)), SECRET, 413, "larger than 1048576 bytes"),
        ("POST", "/actions/big", '{"input":{"text":"%s"}}' % ("x" * (2 << 20)), SECRET, 200, "2097152"),
        ("POST", "/actions/big", '{"input":{"text":"%s"}}' % ("x" * (4 << 20)), SECRET, 413, "4194304"),
        ("POST", ECHO, '{"input":{"text":"fail"}}', SECRET, 500, '"message":"Internal server error"'),
        ("POST", ECHO, '{"input":{"text":"not a number"}}', SECRET, 500, '"message":"Internal server error"'),
        ("POST", ECHO, '{"input":{"text":"NaN"}}', SECRET, 200, '"text":"NaN"'),
        (
            "POST", ECHO, '{"input":{"text":"refuse"}}', SECRET, 403,
            '{"success":false,"message":"That is not yours","error_code":"NOT_YOURS","code":"NOT_YOURS"}',
        ),
        ("GET", "/page", "", "", 200, "page"),
        ("GET", "/healthz", "", "", 200, '{"status":"ok"}'),
    ],
)  # fmt: skip
def test_requests(log: io.StringIO, method: str, path: str, body: str, secret: str, status: int, want: str) -> None:
    response = new_client().open(path, method=method, data=body, headers={"X-Hasura-Admin-Secret": secret})
    assert (response.status_code, want in response.text) == (status, True), response.text
    assert "secret detail" not in response.text
    assert SECRET not in log.getvalue()
    if status >= 400:
        json.loads(response.text)


def test_body_without_a_length() -> None:
    body = b'{"input":{"text":"%s"}}' % (b"x" * (1 << 20))
    response = new_client().post(
        ECHO, input_stream=io.BytesIO(body), headers={"X-Hasura-Admin-Secret": SECRET, "Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )  # fmt: skip
    assert response.status_code == 413


@pytest.mark.parametrize(
    ("body", "headers", "want"),
    [
        ({"session_variables": {"x-hasura-role": "user", "x-hasura-user-id": "7"}}, {}, "user/7"),
        ({"session_variables": {"X-Hasura-Role": "user", "X-Hasura-User-Id": 7}}, {}, "user/7"),
        ({"session_variables": {"x-hasura-role": "public"}}, {"X-Hasura-User-Id": "7"}, "public/"),
        ({}, {"X-Hasura-Role": "user", "X-Hasura-User-Id": "7"}, "user/7"),
        ({}, {"X-Hasura-Session-Variables": '{"x-hasura-role":"user","x-hasura-user-id":"7"}'}, "user/7"),
        ({}, {"X-Hasura-Session-Variables": "null", "X-Hasura-Role": "user"}, "user/"),
        ({}, {"X-Hasura-Role": "", "X-Hasura-User-Id": ""}, "/"),
        ({}, {}, "/"),
    ],
)
def test_session(body: dict[str, Any], headers: dict[str, str], want: str) -> None:
    got = new_client().post(ECHO, json=body, headers={"X-Hasura-Admin-Secret": SECRET} | headers).get_json()
    assert f"{got['role']}/{got['user']}" == want


def test_request_id(log: io.StringIO) -> None:
    headers = {"X-Hasura-Admin-Secret": SECRET, "X-Request-Id": "abc-1"}
    response = new_client().post(ECHO, json={}, headers=headers, buffered=True)
    assert response.headers["X-Request-Id"] == response.get_json()["id"] == "abc-1"
    (line,) = [json.loads(line) for line in log.getvalue().splitlines()]
    assert line | {"time": "", "duration_ms": 0} == {
        "time": "", "level": "INFO", "msg": "request", "method": "POST", "path": ECHO, "status": 200,
        "duration_ms": 0, "action": "echoText", "request_id": "abc-1",
    }  # fmt: skip
    for bad in ("", "a b", 'a"b', "x" * 129):
        got = new_client().post(ECHO, json={}, headers=headers | {"X-Request-Id": bad}).headers["X-Request-Id"]
        assert got
        assert got != bad


class Strict(Limiter):
    def __init__(self) -> None:
        pass

    def allow(self, action: str, session: Session, *, frequent: bool = False) -> float:
        return 11.5 if (action, session.user_id) == ("echo-text", "7") else 0


def test_rate_limited() -> None:
    client = new_client(limiter=Strict())
    headers = {"X-Hasura-Admin-Secret": SECRET}
    response = client.post(ECHO, json={}, headers=headers | {"X-Hasura-User-Id": "7"})
    assert (response.status_code, response.headers["Retry-After"]) == (429, "12")
    assert response.text == (
        '{"success":false,"message":"Too many requests. Please try again in 12s.","error_code":"RATE_LIMITED",'
        '"code":"RATE_LIMITED","extensions":{"code":"RATE_LIMITED","retry_after":12}}\n'
    )
    assert client.post(ECHO, json={}, headers=headers).status_code == 200


def up() -> None:
    """Answer."""


def down() -> None:
    raise OSError("secret detail")


@pytest.mark.parametrize(
    ("postgres", "redis", "status", "want"),
    [
        (up, up, 200, '{"status":"ready","checks":{"postgres":"up","redis":"up"}}\n'),
        (up, None, 200, '{"status":"ready","checks":{"postgres":"up","redis":"disabled"}}\n'),
        (up, down, 200, '{"status":"degraded","checks":{"postgres":"up","redis":"down"}}\n'),
        (down, up, 503, '{"status":"unready","checks":{"postgres":"down","redis":"up"}}\n'),
        (down, down, 503, '{"status":"unready","checks":{"postgres":"down","redis":"down"}}\n'),
    ],
)
def test_readyz(postgres: Any, redis: Any, status: int, want: str) -> None:
    client = new_client(checks=[Check("postgres", postgres, required=True), Check("redis", redis)])
    response = client.get("/readyz")
    assert (response.status_code, response.text) == (status, want)


def test_stopping() -> None:
    client = new_client()
    watch_stop(client.application, lambda: True)
    assert client.get("/readyz").get_json() == {"status": "stopping", "checks": {}}


def test_refuses() -> None:
    with pytest.raises(ValueError, match="secret is empty"):
        new_server(Options(admin_secret=NO_SECRET), [])
    with pytest.raises(ValueError, match="same path"):
        new_server(Options(admin_secret=Secret(SECRET)), [ACTIONS[0], ACTIONS[0]])
