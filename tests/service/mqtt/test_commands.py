"""Commands: exactly those that the schemas allow are accepted, and every answer fits its schema."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.threshold import Threshold
from service.base.note import NoteText
from service.mqtt import channels
from service.mqtt.commands import (
    AddNote,
    ChooseModel,
    CommandRequest,
    SetThreshold,
    StartRecording,
    StopRecording,
    answer,
    parse_command,
    read_content,
    request_on,
    take_id,
)
from stinger.device_name import DeviceName
from stinger.errors import InputError

values = st.none() | st.booleans() | st.integers(-1, 2) | st.floats(-1, 2) | st.text(max_size=70) | st.just("x" * 1001)
contents = st.dictionaries(st.sampled_from(["threshold", "model", "text", "id", "other"]), values, max_size=3)


def parse(name: str, content: dict[str, Any], device: str | None = "b1") -> object:
    left = read_content(json.dumps(content).encode())
    take_id(left)
    return parse_command(CommandRequest(name, device), left)


@given(name=st.sampled_from(channels.COMMANDS), content=contents)
def test_a_command_is_accepted_exactly_if_its_schema_allows_it(name: str, content: dict[str, Any]) -> None:
    content = {key: value for key, value in content.items() if not (key == "id" and value is None)}
    if jsonschema.Draft202012Validator(channels.schema(f"command_{name}")).is_valid(content):
        parse(name, content)
    else:
        with pytest.raises(InputError) as caught:
            parse(name, content)
        assert "\n" not in str(caught.value)


def test_commands_become_values() -> None:
    assert parse("set_threshold", {"threshold": 0.5}) == SetThreshold(DeviceName("b1"), Threshold(0.5))
    assert parse("choose_model", {"model": "champion"}, None) == ChooseModel(None, "champion")
    assert parse("start_recording", {}) == StartRecording(DeviceName("b1"))
    assert parse("stop_recording", {"id": "7"}) == StopRecording(DeviceName("b1"))
    assert parse("note", {"text": "left-handed"}) == AddNote(DeviceName("b1"), NoteText("left-handed"))


def test_a_topic_names_the_command_and_the_device() -> None:
    assert request_on("stinger/b1/command/note") == CommandRequest("note", "b1")
    assert request_on("stinger/daemon/command/note") == CommandRequest("note", None)


def test_a_command_to_a_name_that_no_device_can_have_is_refused() -> None:
    with pytest.raises(InputError, match="device name 'a b'"):
        parse("stop_recording", {}, "a b")


def test_an_id_that_no_answer_could_repeat_is_refused() -> None:
    with pytest.raises(InputError, match="id: character 2 is half of a surrogate pair"):
        take_id(read_content(rb'{"id": "a\ud83d"}'))


def test_an_empty_payload_is_an_empty_object() -> None:
    assert read_content(b" ") == {}


@pytest.mark.parametrize("payload", [b"[]", b"3", b"NaN", b'{"a":NaN}', b"{", b"\xff", b"[" * 8000, b"x" * 8193])
def test_a_payload_that_is_not_an_object_is_refused_in_one_line(payload: bytes) -> None:
    with pytest.raises(InputError) as caught:
        read_content(payload)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_accepted_or_refused(payload: bytes) -> None:
    with suppress(InputError):
        content = read_content(payload)
        take_id(content)
        parse_command(CommandRequest("set_threshold", None), content)


def test_answers_fit_their_schema() -> None:
    checker = jsonschema.Draft202012Validator(channels.schema("response"))
    asked = CommandRequest("note", None, "7")
    checker.validate(json.loads(answer(asked, {"recording": "x"})))
    checker.validate(json.loads(answer(asked)))
    checker.validate(json.loads(answer(asked, error="no")))
