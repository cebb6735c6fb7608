"""The calls in tests/calls, made again. nself action replay --save-test puts them there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Service


@pytest.mark.parametrize("file", sorted((Path(__file__).parent / "calls").glob("*.json")), ids=lambda file: file.stem)
def test_saved_call(service: Service, file: Path) -> None:
    call = json.loads(file.read_text())
    body = {
        "action": {"name": call["action"]},
        "input": call["input"],
        "session_variables": call["session_variables"],
        "request_query": "",
    }
    status, answer = service.post(call["path"], body)
    assert (status, answer) == (call["expect"]["status"], answer)
    if "success" in call["expect"]:
        assert answer["success"] is call["expect"]["success"], answer
