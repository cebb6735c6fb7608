"""What the generated GraphQL types are made of."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, GetCoreSchemaHandler, PlainSerializer
from pydantic_core import PydanticCustomError, core_schema


class Input(BaseModel):
    """A GraphQL input type, or the arguments of an action. Fields that the type does not have are ignored."""

    model_config = ConfigDict(strict=True, frozen=True, validate_by_name=True, protected_namespaces=())


class Output(BaseModel):
    """A GraphQL type that actions answer with. All fields are sent: the engine leaves out an object that is missing
    from an answer, where null is meant."""

    model_config = ConfigDict(
        strict=True, extra="forbid", validate_by_name=True, serialize_by_alias=True, protected_namespaces=(),
        ser_json_inf_nan="constants",  # which the server refuses, rather than null
    )  # fmt: skip


class Enum(StrEnum):
    """A GraphQL enum."""

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(cls._read)

    @classmethod
    def absent(cls) -> Self:
        """Return what stands for a value that is missing in a direct call: no value of the type, and false."""
        value = str.__new__(cls, "")
        value._name_ = value._value_ = ""
        return value

    @classmethod
    def _read(cls, value: Any) -> Self:
        if isinstance(value, cls):
            return value
        if not isinstance(value, str):
            raise PydanticCustomError("wrong_type", "not text")
        try:
            return cls(value)
        except ValueError:
            raise PydanticCustomError(
                "enum_value", "{value} is not a value of {type}", {"value": json.dumps(value), "type": cls.__name__}
            ) from None


class ExactFloat(float):
    """A JSON number with a fraction, which remembers its text for `Numeric`: float does not hold every digit."""

    __slots__ = ("text",)

    def __new__(cls, text: str) -> Self:
        number = super().__new__(cls, text)
        number.text = text
        return number

    text: str


def _read_decimal(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return value
    try:
        number = Decimal(value.text if isinstance(value, ExactFloat) else str(value))
    except InvalidOperation:
        raise PydanticCustomError("wrong_type", "not a number") from None
    return number


def _read_whole(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return int(value)
    except ValueError:
        raise PydanticCustomError("wrong_type", "not a number") from None


def _write_decimal(value: Decimal) -> int | float | str:
    """Send a JSON number where one holds every digit, and text otherwise, which the engine takes as well."""
    if value.is_finite() and value == value.to_integral_value():
        return int(value)
    number = float(value)
    return number if Decimal(repr(number)) == value else str(value)


Numeric = Annotated[Decimal, BeforeValidator(_read_decimal), PlainSerializer(_write_decimal, when_used="json")]
"""A number of any size and precision. It comes as a JSON number or as text."""

BigInt = Annotated[int, BeforeValidator(_read_whole)]
"""A whole number of any size. It comes as a JSON number or as text."""
