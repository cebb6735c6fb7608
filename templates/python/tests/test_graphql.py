"""How GraphQL values arrive and leave."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pydantic
import pytest
from pydantic_core import to_json
from werkzeug.datastructures import Headers

from service import graphql
from service.calls import read_call
from service.errors import ActionError


class State(graphql.Enum):
    OPEN = "OPEN"
    PAID = "PAID"


class Line(graphql.Input):
    class_: str = pydantic.Field(validation_alias="class", serialization_alias="class")
    amount: graphql.Numeric
    total: graphql.BigInt
    rate: float
    state: State | None = None
    more: list[Line] | None = None


class Args(graphql.Input):
    lines: list[Line]


class Tree(graphql.Input):
    parent: Tree
    name: str


class TreeArgs(graphql.Input):
    tree: Tree


class Answer(graphql.Output):
    id_: str = pydantic.Field(validation_alias="_id", serialization_alias="_id")
    state: State
    amounts: list[graphql.Numeric]
    total: graphql.BigInt
    note: str | None = None


def decode(text: str) -> Any:
    return read_call(b'{"input":%s}' % text.encode(), Headers()).decode(Args)


def test_values() -> None:
    got = decode(
        '{"lines":[{"class":"a","amount":12345678901234567890.123,"total":"9007199254740993","rate":1,"state":"PAID",'
        '"more":[{"class":"b","amount":"0.1","total":2,"rate":0.5}]}],"unknown":1}'
    )
    assert got == Args(
        lines=[
            Line(
                class_="a", amount=Decimal("12345678901234567890.123"), total=9007199254740993, rate=1.0,
                state=State.PAID, more=[Line(class_="b", amount=Decimal("0.1"), total=2, rate=0.5)],
            )
        ]
    )  # fmt: skip


def test_missing_values_are_empty() -> None:
    assert decode("{}") == Args(lines=[])
    empty = Line(class_="", amount=Decimal(), total=0, rate=0.0)
    assert decode('{"lines":[{},null]}') == Args(lines=[empty, empty])


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ('{"lines":{}}', "lines must not be a JSON object"),
        ('{"lines":[{"class":true}]}', "lines.class must not be a JSON bool"),
        ('{"lines":[{"state":"LOST"}]}', 'input is not valid: "LOST" is not a value of State'),
        ('{"lines":[{"state":1}]}', "lines.state must not be a JSON number"),
        ('{"lines":[{"amount":"much"}]}', "lines.amount must not be a JSON string"),
        ('{"lines":[{"total":1.5}]}', "lines.total must not be a JSON number 1.5"),
        ('{"lines":[{"rate":"1"}]}', "lines.rate must not be a JSON string"),
    ],
)
def test_faults(text: str, want: str) -> None:
    with pytest.raises(ActionError) as caught:
        decode(text)
    assert (caught.value.message, caught.value.status, caught.value.code) == (want, 400, "BAD_REQUEST")


def test_type_that_must_hold_itself() -> None:
    with pytest.raises(ActionError, match=r"tree\.parent"):
        read_call(b"{}", Headers()).decode(TreeArgs)


def test_answer() -> None:
    answer = Answer(
        id_="7",
        state=State.OPEN,
        amounts=[Decimal("1.10"), Decimal(5), Decimal("0.12345678901234567890")],
        total=1 << 60,
    )
    assert to_json(answer, by_alias=True).decode() == (
        '{"_id":"7","state":"OPEN","amounts":[1.1,5,"0.12345678901234567890"],"total":1152921504606846976,"note":null}'
    )
