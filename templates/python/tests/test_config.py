"""The configuration."""

from __future__ import annotations

import logging

import pytest

from service.config import SMTP, Config, ConfigError, RateLimit, load
from service.secret import Secret


def test_defaults() -> None:
    given = {"DATABASE_URL": "postgres://db/shop", "HASURA_GRAPHQL_ADMIN_SECRET": "s", "SMTP_HOST": ""}
    assert load(given) == Config(admin_secret=Secret("s"), database_url=Secret("postgres://db/shop"))


def test_all() -> None:
    assert load(
        {
            "PORT": "4000", "LISTEN_HOST": "127.0.0.1", "ENV": "prod", "LOG_LEVEL": "debug", "PROJECT_NAME": "shop",
            "PUBLIC_URL": "https://shop.example/fn/", "DATABASE_URL": "postgresql://db/shop",
            "REDIS_URL": "rediss://:p@redis", "HASURA_ADMIN_SECRET": "first", "HASURA_GRAPHQL_ADMIN_SECRET": "second",
            "HASURA_GRAPHQL_ENDPOINT": "http://hasura:8080/v1/graphql", "HASURA_GRAPHQL_UNAUTHORIZED_ROLE": "anonymous",
            "SMTP_HOST": "smtp.example", "SMTP_PORT": "465", "SMTP_USER": "u", "SMTP_PASS": "p",
            "EMAIL_FROM": "Shop <a@b.example>", "RATE_LIMIT_POINTS": "9", "RATE_LIMIT_ROLE_POINTS": "90",
            "RATE_LIMIT_DURATION": "30",
        }
    ) == Config(
        listen_host="127.0.0.1", port=4000, env="prod", log_level=logging.DEBUG, project_name="shop",
        public_url="https://shop.example/fn", admin_secret=Secret("first"),
        graphql_endpoint="http://hasura:8080/v1/graphql", unauthorized_role="anonymous",
        database_url=Secret("postgresql://db/shop"), redis_url=Secret("rediss://:p@redis"),
        smtp=SMTP("smtp.example", 465, "u", Secret("p"), "Shop <a@b.example>"), rate_limit=RateLimit(9, 90, 30),
    )  # fmt: skip


def test_reports_every_problem() -> None:
    with pytest.raises(ConfigError) as caught:
        load(
            {
                "PORT": "70000", "LOG_LEVEL": "loud", "PUBLIC_URL": "ftp://x", "DATABASE_URL": "mysql://u:hidden@db/x",
                "REDIS_URL": "redis://:hidden@%zz", "EMAIL_FROM": "nobody", "RATE_LIMIT_POINTS": "0",
                "RATE_LIMIT_DURATION": "1m",
            }
        )  # fmt: skip
    text = str(caught.value)
    for want in (
        'PORT must be a whole number from 1 to 65535, got "70000"', "LOG_LEVEL must be",
        "PUBLIC_URL must begin with http://", "DATABASE_URL must begin with postgres://",
        "REDIS_URL is not a valid URL", "EMAIL_FROM must be an email address", "RATE_LIMIT_POINTS must be",
        "RATE_LIMIT_DURATION must be", "HASURA_ADMIN_SECRET is not set",
    ):  # fmt: skip
        assert want in text
    assert "hidden" not in text


def test_secrets_are_not_printed() -> None:
    config = Config(admin_secret=Secret("hidden"), database_url=Secret("hidden"))
    assert "hidden" not in f"{config} {config!r} {config.admin_secret}"
    assert config.admin_secret.reveal() == "hidden"
