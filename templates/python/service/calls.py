"""A call: the engine's body and headers, turned into typed arguments and a session."""

from __future__ import annotations

import json
import re
import types
import typing
from dataclasses import dataclass
from decimal import Decimal
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
        if _names(args) == ["input"] and "input" not in given:
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


def _parse(data: bytes) -> Any:
    try:
        body = json.loads(data.decode(), parse_float=ExactFloat, parse_constant=_refuse_constant)
        if _surrogate.search(data):
            json.dumps(body, ensure_ascii=False).encode()  # half a character could neither be stored nor sent back
    except (ValueError, RecursionError):
        raise errors.bad_request("Request body is not valid JSON") from None
    return body


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _names(model: type[BaseModel]) -> list[str]:
    return [_key(name, model) for name in model.model_fields]


def _key(name: str, model: type[BaseModel]) -> str:
    alias = model.model_fields[name].validation_alias
    return alias if isinstance(alias, str) else name


def _fill(kind: Any, value: Any, missing: tuple[type, ...] = ()) -> Any:
    """Put empty values where a value of that kind is missing. `missing` are the types that are being made up already:
    one that would have to hold itself stays missing."""
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        return _fill(typing.get_args(kind)[0], value, missing)
    if origin in (typing.Union, types.UnionType):
        return value if value is None else _fill(typing.get_args(kind)[0], value, missing)
    if origin is list:
        if value is None:
            return []
        return [_fill(typing.get_args(kind)[0], v, missing) for v in value] if isinstance(value, list) else value
    if not isinstance(kind, type):
        return value
    if issubclass(kind, Enum):
        return kind.absent() if value is None else value
    if issubclass(kind, BaseModel):
        if value is not None:
            return _fill_model(kind, value, missing)
        return None if kind in missing else _fill_model(kind, {}, (*missing, kind))
    return kind() if value is None and kind in (str, bool, int, float, Decimal) else value


def _fill_model(model: type[BaseModel], value: Any, missing: tuple[type, ...]) -> Any:
    if not isinstance(value, dict):
        return value
    filled: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        key = _key(name, model)
        if value.get(key) is not None or field.is_required():
            filled[key] = _fill(field.annotation, value.get(key), missing)
    return filled


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
