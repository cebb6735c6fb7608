"""What the action saveCrmIntegration promises, and where calls to users' addresses may go."""

from __future__ import annotations

import base64
import io
import ipaddress
import time
from typing import Any

import pytest

from service.config import ConfigError, Reader
from service.encryption import Cipher, DecryptionError
from service.outbound import ForbiddenTargetError, Outbound, is_public
from tests.conftest import MakeService, Service

ADA, BOB = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
KEY = base64.b64encode(bytes(range(32))).decode()


def save(
    service: Service, endpoint: str, api_key: str = "key-hidden", user_id: str = ADA
) -> tuple[int, dict[str, Any]]:
    session = {"x-hasura-role": "user", "x-hasura-user-id": user_id}
    given = {"endpoint": endpoint, "api_key": api_key}
    return service.post("save-crm-integration", {"input": {"input": given}, "session_variables": session})


def test_saves(make_service: MakeService, log: io.StringIO) -> None:
    service = make_service({"ENCRYPTION_KEY": KEY})
    cipher = Cipher(Reader({"ENCRYPTION_KEY": KEY}))
    for endpoint, api_key in (("https://8.8.8.8/api", "key-hidden"), ("https://8.8.8.8:8443/v2", "key-new-hidden")):
        assert save(service, f" {endpoint} ", api_key) == (
            200,
            {"success": True, "message": "CRM integration saved", "errors": None, "error_code": None},
        )
        kept_endpoint, kept = service.one("SELECT endpoint, api_key_encrypted FROM crm_integrations")
        assert kept_endpoint == endpoint
        assert api_key.encode() not in kept
        assert cipher.decrypt(kept, ADA).reveal() == api_key
        with pytest.raises(DecryptionError):
            cipher.decrypt(kept, BOB)
    assert "hidden" not in log.getvalue()


@pytest.mark.parametrize(
    ("endpoint", "api_key", "fault"),
    [
        ("", "k", "endpoint REQUIRED_FIELD"),
        ("x", "k", "endpoint INVALID_URL"),
        ("https://", "k", "endpoint INVALID_URL"),
        ("https://[", "k", "endpoint INVALID_URL"),
        ("https://8.8.8.8:x/", "k", "endpoint INVALID_URL"),
        ("http://8.8.8.8/", "k", "endpoint INVALID_URL"),
        ("ftp://8.8.8.8/", "k", "endpoint INVALID_URL"),
        ("https://u:p@8.8.8.8/", "k", "endpoint INVALID_URL"),
        ("https://8.8.8.8/?a=b", "k", "endpoint INVALID_URL"),
        ("https://8.8.8.8/" + "x" * 2000, "k", "endpoint INVALID_URL"),
        ("https://localhost/", "k", "endpoint FORBIDDEN_TARGET"),
        ("https://127.0.0.1/", "k", "endpoint FORBIDDEN_TARGET"),
        ("https://2130706433/", "k", "endpoint FORBIDDEN_TARGET"),
        ("https://0x7f.1/", "k", "endpoint FORBIDDEN_TARGET"),
        ("https://[::ffff:10.0.0.1]/", "k", "endpoint FORBIDDEN_TARGET"),
        ("https://169.254.169.254/latest", "k", "endpoint FORBIDDEN_TARGET"),
        ("https://8.8.8.8/", " ", "api_key REQUIRED_FIELD"),
        ("https://8.8.8.8/", "a\nb", "api_key INVALID_FORMAT"),
        ("https://8.8.8.8/", "ä", "api_key INVALID_FORMAT"),
        ("https://8.8.8.8/", "x" * 4097, "api_key INVALID_FORMAT"),
    ],
)
def test_faults(service: Service, endpoint: str, api_key: str, fault: str) -> None:
    _, got = save(service, endpoint, api_key)
    assert (got["success"], got["message"], got["error_code"]) == (False, "Validation failed", "VALIDATION_ERROR")
    assert [f"{e['field']} {e['code']}" for e in got["errors"]] == [fault]


def test_not_configured(service: Service, log: io.StringIO) -> None:
    _, got = save(service, "https://8.8.8.8/")
    assert (got["success"], got["error_code"]) == (False, "ENCRYPTION_NOT_CONFIGURED")
    assert "ENCRYPTION_KEY" in log.getvalue()


def test_needs_a_user(service: Service) -> None:
    assert save(service, "https://8.8.8.8/", user_id="")[0] == 401
    assert service.post("save-crm-integration", {"input": {}})[0] == 401


def test_key_of_wrong_size(make_service: MakeService) -> None:
    for key in ("x", "?", KEY[:-4]):
        with pytest.raises(ConfigError, match="ENCRYPTION_KEY must be 32 bytes in base64"):
            make_service({"ENCRYPTION_KEY": key})
    make_service({"ENCRYPTION_KEY": KEY.rstrip("=")})


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("2606:4700::1", True), ("64:ff9b::808:808", True),
        ("0.0.0.0", False), ("10.1.2.3", False), ("100.64.0.1", False), ("127.0.0.1", False), ("169.254.1.1", False),
        ("172.16.0.1", False), ("192.168.0.1", False), ("198.18.0.1", False), ("203.0.113.1", False),
        ("224.0.0.1", False), ("240.0.0.1", False), ("255.255.255.255", False),
        ("::", False), ("::1", False), ("fe80::1", False), ("fc00::1", False), ("ff02::1", False), ("fec0::1", False),
        ("2001:db8::1", False), ("2001::1", False),
        ("::ffff:127.0.0.1", False), ("::127.0.0.1", False), ("64:ff9b::7f00:1", False), ("64:ff9b:1::1", False),
        ("2002:7f00:1::", False), ("2002:a00:1::", False),
    ],
)  # fmt: skip
def test_is_public(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) == public


def test_name_that_changes_its_mind(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is dialled is what was checked, however often the name is looked up."""
    answers = iter(["8.8.8.8", "127.0.0.1"])
    monkeypatch.setattr(
        "service.outbound.socket.getaddrinfo", lambda _host, port, **_: [(2, 1, 6, "", (next(answers), port))]
    )
    outbound = Outbound("")
    outbound.check("https://crm.example/")
    with pytest.raises(ForbiddenTargetError):
        outbound.post("https://crm.example/", b"", {}, time.monotonic() + 5)


def test_allowed_hosts() -> None:
    outbound = Outbound(" crm.internal , 127.0.0.1:8080")
    outbound.check("http://crm.internal/")
    outbound.check("http://127.0.0.1:8080/")
    with pytest.raises(ForbiddenTargetError):
        outbound.check("https://127.0.0.1:8081/")


def test_cipher_is_that_of_the_others() -> None:
    """What a service in another language has encrypted can be read: nonce, ciphertext, tag; the user is the context."""
    kept = bytes.fromhex("000102030405060708090a0b3467b569a0915e5e03f693ce82c3333e66f4bb978157")
    assert Cipher(Reader({"ENCRYPTION_KEY": KEY})).decrypt(kept, ADA).reveal() == "secret"
