"""Messages fit their schemas, and the documents describe them."""

from __future__ import annotations

import json
import math
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from service.base.events import FalseSpinUp, Shot, Telemetry, WheelsSwitched
from service.base.states import DaemonStatus, ScoreBlock, Stamps
from service.config.topic_root import TopicRoot
from service.mqtt import channels
from service.mqtt.channels import Channel, DeliveryPolicy
from service.mqtt.discovery import discovery_message, object_id
from service.mqtt.messages import event_message, iso_time, scores_message, status_message, telemetry_message
from stinger.device_name import DeviceName
from tests.helpers.device_names import device_names
from tests.helpers.events import ID, NOW_S, one_message_of_each_kind, shot, spin_up, telemetry
from tests.helpers.places import ROOT

NAMES = sorted(path.stem for path in (ROOT / "service" / "mqtt" / "schemas").glob("*.json"))
ALL_CHANNELS = (
    *channels.PUBLISHED,
    *(channel for name in channels.COMMANDS for channel in channels.command_channels(name)),
    channels.SAMPLES,
)


def check(name: str, payload: bytes) -> dict[str, Any]:
    """``payload`` as JSON (no NaN), after checking it against the schema called ``name``."""
    content = json.loads(payload, parse_constant=lambda constant: pytest.fail(f"{constant} in JSON"))
    checker = jsonschema.Draft202012Validator(channels.schema(name), format_checker=jsonschema.FormatChecker())
    checker.validate(content)
    assert isinstance(content, dict)
    return content


@pytest.mark.parametrize("name", NAMES)
def test_every_schema_is_one_and_describes_each_field(name: str) -> None:
    schema = channels.schema(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["description"]
    for field, about in schema["properties"].items():
        assert about.get("description"), field


def test_every_schema_belongs_to_a_topic_and_every_topic_of_json_has_one() -> None:
    assert {channel.schema for channel in ALL_CHANNELS} - {"samples"} == set(NAMES)


@pytest.mark.parametrize("channel", channels.PUBLISHED, ids=lambda channel: channel.schema)
def test_every_message_fits_its_schema_and_its_topic(channel: Channel) -> None:
    message = one_message_of_each_kind()[channel.schema]
    check(channel.schema, message.payload)
    pattern = re.escape(channel.address).replace(r"\{device\}", "b1").replace(r"\{id\}", "stinger_b1")
    assert re.fullmatch(pattern, message.topic)
    assert (message.qos, message.retain, message.delivery) == (channel.qos, channel.retain, channel.delivery)


def test_events_are_acknowledged_and_only_states_are_retained() -> None:
    for channel in channels.PUBLISHED:
        assert channel.qos == 1 or channel.delivery is not DeliveryPolicy.EVERY
        assert not (channel.retain and channel.delivery is DeliveryPolicy.LIVE)
    assert {c.schema for c in channels.PUBLISHED if c.retain} == {"spinup", "link", "model", "status", "discovery"}


maybe = st.none() | st.floats()
numbers = st.floats(0, 1e9) | st.just(math.nan) | st.just(math.inf)
fractions = st.none() | st.floats(0, 1) | st.just(math.nan) | st.floats(0, 1, width=32).map(np.float32)
moments = st.floats(0, 4e9)


@given(
    device=device_names,
    at=moments,
    ms=st.integers(0, 2**32 - 1),
    lead=st.none() | numbers,
    peak=fractions,
    model=st.text(),
)
def test_whatever_a_shot_holds_its_message_fits_the_schema(
    *, device: DeviceName, at: float, ms: int, lead: float | None, peak: float | None, model: str
) -> None:
    message = event_message(Shot(device, ms, at, True, lead, peak, True, model, id=ID))
    content = check("shot", message.payload)
    assert content["device_ms"] == ms
    assert message.topic == f"stinger/{device}/shot"


@given(at=moments, on=st.booleans(), probability=fractions, came=st.none() | st.booleans(), took=st.none() | numbers)
def test_whatever_a_spin_up_holds_its_message_fits_the_schema(
    at: float, on: bool, probability: float | None, came: bool | None, took: float | None
) -> None:
    check(
        "spinup", event_message(WheelsSwitched(DeviceName("b"), 1, at, on, probability, "m", came, took, id=ID)).payload
    )
    check("false_spinup", event_message(FalseSpinUp(DeviceName("b"), 1, at, 3.0, probability, "m", id=ID)).payload)


@given(at=moments, probability=fractions, p50=st.none() | numbers)
def test_whatever_telemetry_holds_its_message_fits_the_schema(
    at: float, probability: float | None, p50: float | None
) -> None:
    made = Telemetry(DeviceName("b"), at, probability, True, 99.9, 0, 0, 0, p50, p50, "streaming", "m")
    check("telemetry", telemetry_message(made).payload)


def test_scores_have_the_time_of_the_first_and_null_for_missing_ones() -> None:
    block = ScoreBlock(DeviceName("b1"), 70, 10, np.array([0, 0.123456, np.nan, 1], np.float32))
    content = check("scores", scores_message(block).payload)
    assert content == {"first_device_ms": 70, "period_ms": 10, "probabilities": [0, 0.123456, None, 1]}


def test_stamps_are_in_scores_and_in_events_caused_by_a_sample() -> None:
    stamps = Stamps(read_ns=1, scored_ns=2)
    block = ScoreBlock(DeviceName("b1"), 70, 10, np.array([0.5], np.float32))
    for schema, made in (
        ("scores", scores_message(block, stamps)),
        ("shot", event_message(shot(), stamps)),
        ("spinup", event_message(spin_up(), stamps)),
    ):
        stamps = check(schema, made.payload)["stamps"]
        assert (stamps["read_ns"], stamps["scored_ns"]) == (1, 2)
        assert stamps["published_ns"] <= time.monotonic_ns()


def test_a_will_has_no_time() -> None:
    will = status_message(DaemonStatus(online=False, host_s=None, reason="lost", version="1", instance="7f3a"))
    content = check("status", will.payload)
    assert (content["state"], content["time"], content["reason"]) == ("offline", None, "lost")
    assert (will.qos, will.retain) == (1, True)


def test_the_end_of_a_spin_up_has_whether_there_was_a_shot() -> None:
    content = check("spinup", event_message(spin_up(on=False)).payload)
    assert (content["state"], content["with_shot"], content["duration_ms"]) == ("off", True, 320.0)


def test_text_that_is_not_unicode_is_still_published() -> None:
    check("telemetry", telemetry_message(replace(telemetry(), model="lr-\udcff")).payload)


@given(at=st.floats(0, 4e9))
def test_times_are_iso_8601_rounded_down_to_the_millisecond(at: float) -> None:
    text = iso_time(at)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)


def test_discovery_names_only_topics_that_are_published_and_templates_fields_that_exist() -> None:
    content = check("discovery", discovery_message(DeviceName("b1"), "1").payload)
    by_topic = {
        channel.topic(DeviceName("b1")): channel.schema
        for channel in channels.PUBLISHED
        if "{id}" not in channel.address
    }
    for component in content["components"].values():
        fields = channels.schema(by_topic[component["state_topic"]])["properties"]
        for field in re.findall(r"value_json\.(\w+)", component["value_template"]):
            assert field in fields


@given(device_names, device_names)
def test_two_devices_never_share_a_discovery_topic(one: DeviceName, other: DeviceName) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]+", object_id(one, TopicRoot()))
    assert (object_id(one, TopicRoot()) == object_id(other, TopicRoot())) == (one == other)


@given(device_names)
def test_every_device_name_is_one_level_of_its_topics(device: DeviceName) -> None:
    for channel in channels.PUBLISHED:
        if "{device}" in channel.address:
            topic = channel.topic(device)
            assert topic.split("/")[1] == device
            assert topic != channel.topic()
            assert not set(topic) & set("+#\0")


def test_the_document_describes_every_topic_with_its_qos_and_every_field() -> None:
    text = (ROOT / "docs" / "mqtt.md").read_text(encoding="utf-8")
    for channel in channels.PUBLISHED:
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{shown(channel.address)}` |")]
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[1:3] == [str(channel.qos), "yes" if channel.retain else "no"]
        for field in channels.schema(channel.schema)["properties"]:
            assert f"`{field}`" in text, f"{channel.schema}: {field}"
    for name in channels.COMMANDS:
        assert f"| `{name}` |" in text
        for field in channels.schema(f"command_{name}")["properties"]:
            assert f"`{field}`" in text


def test_the_examples_of_the_document_fit_their_schemas() -> None:
    text = (ROOT / "docs" / "mqtt.md").read_text(encoding="utf-8")
    examples = re.findall(r"<!-- (\w+) -->\n```json\n(.*?)```", text, re.DOTALL)
    assert {name for name, _ in examples} >= {channel.schema for channel in channels.PUBLISHED} - {"discovery"}
    for name, example in examples:
        check(name, example.encode())


def test_the_asyncapi_document_has_every_topic_with_its_schema_qos_and_retain_flag() -> None:
    document = yaml.safe_load((ROOT / "docs" / "asyncapi.yaml").read_text(encoding="utf-8"))
    assert document["asyncapi"].startswith("3.")
    found = {}
    for key, channel in document["channels"].items():
        (message,) = channel["messages"].values()
        message = resolved(document, message)
        operation = next(o for o in document["operations"].values() if o["channel"]["$ref"] == f"#/channels/{key}")
        binding = operation["bindings"]["mqtt"]
        schema = "samples" if "payload" not in message else Path(message["payload"]["schema"]["$ref"]).stem
        if "payload" in message:
            assert (ROOT / "docs" / message["payload"]["schema"]["$ref"]).is_file()
        assert set(channel.get("parameters", {})) == set(re.findall(r"\{(\w+)\}", channel["address"]))
        found[channel["address"]] = (schema, binding["qos"], binding["retain"], operation["action"])
    commands = {c for name in channels.COMMANDS for c in channels.command_channels(name)}
    expected = {
        c.address: (
            c.schema,
            c.qos,
            c.retain,
            "receive" if c is channels.SAMPLES or (c in commands and c.schema != "response") else "send",
        )
        for c in ALL_CHANNELS
    }
    assert found == expected


def resolved(document: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    """``value``, or what it refers to inside ``document``."""
    while "$ref" in value:
        target: Any = document
        for step in value["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        value = target
    return value


def shown(address: str) -> str:
    return address.replace("{device}", "<device>").replace("{id}", "<id>")


def test_nothing_in_a_message_depends_on_now() -> None:
    assert one_message_of_each_kind()["link"].payload == one_message_of_each_kind()["link"].payload
    assert b"2023-11-14T22:13:20.125Z" in one_message_of_each_kind()["link"].payload
    assert NOW_S == 1_700_000_000.125
