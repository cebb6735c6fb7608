"""A call: the engine's body and headers, turned into typed arguments and a session."""

from __future__ import annotations

import json
import re
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError
from werkzeug.datastructures import Headers

from service import errors, session
from service.graphql import Enum, ExactFloat
from service.session import Session

ArgsT = TypeVar("ArgsT", bound=BaseModel)


@dataclass(frozen=True)
class Call:
    """A decoded request body, before the arguments have a type."""

    session: Session
    input: Any
    query: str
    headers: Headers

    def decode(self, args: type[ArgsT]) -> ArgsT:
        """Return the arguments.

        The engine sends {"input": {"input": {...}}} for an action with the one argument "input", while people who call
        the handler by hand write {"input": {...}}; both are accepted.

        Missing values that may not be null become empty ones: the engine lets no such call through, and for a direct
        call the handler's own rules say best what is missing.
        """
        given = {} if self.input is None else self.input
        if not isinstance(given, dict):
            raise _wrong_type("input", given)
        if [key for key, _, _ in _fields(args)] == ["input"] and "input" not in given:
            given = {"input": given}
        try:
            return args.model_validate(_fill(args, given))
        except ValidationError as e:
            raise _explain(e) from None


def read_call(data: bytes, headers: Headers) -> Call:
    """Read the body that the engine sends: {action, input, session_variables, request_query}.

    Raises an ActionError with status 400 for a body that is not such an object.
    """
    body = _parse(data)
    if body is None:
        raise errors.bad_request("Request body must be an object")
    if not isinstance(body, dict):
        raise _wrong_type("Request body", body)
    variables = body.get("session_variables")
    if not isinstance(variables, dict | None):
        raise _wrong_type("session_variables", variables)
    query = body.get("request_query")
    if not isinstance(query, str | None):
        raise _wrong_type("request_query", query)
    return Call(session.from_call(variables or {}, headers), body.get("input"), query or "", headers)


_surrogate = re.compile(rb"\\u[dD][89a-fA-F]")


def refuse_constant(name: str) -> NoReturn:
    """Let Python's reader of JSON do without NaN and Infinity."""
    raise ValueError(f"{name} is not JSON")


_decode = json.JSONDecoder(parse_float=ExactFloat, parse_constant=refuse_constant).decode


def _parse(data: bytes) -> Any:
    try:
        body = _decode(data.decode())
        if _surrogate.search(data):
            json.dumps(body, ensure_ascii=False).encode()  # half a character could neither be stored nor sent back
    except (ValueError, RecursionError):
        raise errors.bad_request("Request body is not valid JSON") from None
    return body


Fill = Callable[[Any, tuple[type, ...]], Any]
"""Puts empty values where a value is missing that may not be null.

The types that are being made up already are told with it: one that would have to hold itself stays missing.
"""


def _filler(kind: Any) -> Fill:
    """Return what fills a value of that kind."""
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        return _filler(typing.get_args(kind)[0])
    if origin in (typing.Union, types.UnionType):
        some = _filler(typing.get_args(kind)[0])
        return lambda value, missing: None if value is None else some(value, missing)
    if origin is list:
        return _list_filler(_filler(typing.get_args(kind)[0]))
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return lambda value, missing: _fill(kind, value, missing)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return lambda value, _missing: kind.absent() if value is None else value
    if kind in (str, bool, int, float, Decimal):
        return lambda value, _missing: kind() if value is None else value
    return lambda value, _missing: value


def _list_filler(element: Fill) -> Fill:
    def fill(value: Any, missing: tuple[type, ...]) -> Any:
        if value is None:
            return []
        return [element(v, missing) for v in value] if isinstance(value, list) else value

    return fill


@cache
def _fields(model: type[BaseModel]) -> list[tuple[str, bool, Fill]]:
    """Return the key of each field, whether it has to be there, and what fills it."""
    return [
        (
            f.validation_alias if isinstance(f.validation_alias, str) else name,
            f.is_required(),
            _filler(f.annotation),
        )
        for name, f in model.model_fields.items()
    ]


def _fill(model: type[BaseModel], value: Any, missing: tuple[type, ...] = ()) -> Any:
    if value is None:
        if model in missing:
            return None
        value, missing = {}, (*missing, model)
    if not isinstance(value, dict):
        return value
    return {
        key: fill(value.get(key), missing)
        for key, required, fill in _fields(model)
        if required or value.get(key) is not None
    }


def _explain(error: ValidationError) -> errors.ActionError:
    """Explain the first fault in the caller's words: names of Python types would tell them nothing."""
    fault = error.errors(include_url=False)[0]
    path = ".".join(str(part) for part in fault["loc"] if not isinstance(part, int))
    what = path.removeprefix("input.") or "input"
    if fault["type"] == "enum_value":
        return errors.bad_request(f"input is not valid: {fault['msg']}")
    if fault["type"] == "missing":
        return errors.bad_request(f"{what} is missing")
    whole = fault["type"] == "int_type" and isinstance(fault["input"], float)
    return _wrong_type(what, fault["input"], whole=whole)


def _wrong_type(what: str, value: Any, *, whole: bool = False) -> errors.ActionError:
    if value is None:
        name = "null"
    elif isinstance(value, bool):
        name = "bool"
    elif isinstance(value, int | float):
        name = "number"
        if whole:
            name += f" {value.text if isinstance(value, ExactFloat) else value}"
    elif isinstance(value, str):
        name = "string"
    else:
        name = "array" if isinstance(value, list) else "object"
    return errors.bad_request(f"{what} must not be a JSON {name}")
