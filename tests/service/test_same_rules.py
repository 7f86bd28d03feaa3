"""Every room has the same rule for a name, a threshold and a broker: what one accepts, none refuses later."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

import click
import pytest

from models.cli.options import ThresholdType
from models.decision_parameters import DecisionParameters
from service.config.config import Config
from service.config.loading import load_config
from service.config.source_url import SharedUrl
from service.daemon.check import check
from service.mqtt import channels
from service.mqtt.commands import CommandRequest, SetThreshold, StopRecording, parse_command
from service.mqtt.discovery import discovery_message
from service.recording.recorder import Recorder
from service.recording.store import read_store
from stinger.device_name import DeviceName, device_of_folder
from stinger.errors import InputError
from stinger.wire.sample_messages import device_of
from tests.helpers.cli import invoke
from tests.helpers.device_names import NAMES_TO_ACCEPT, NAMES_TO_REFUSE
from tests.helpers.samples import random_samples
from tests.service.blocks import block_of

NAMES = (*((name, True) for name in NAMES_TO_ACCEPT), *((name, False) for name in NAMES_TO_REFUSE))
each_name = pytest.mark.parametrize(("name", "accepted"), NAMES)


def configured(name: str, folder: Path) -> Config:
    source = f"tcp://host:1?device={quote(name, safe='', errors='surrogatepass')}"
    return load_config(None, {}, {"sources": (source,), "data_dir": str(folder), "model": "factory"})


@each_name
def test_the_configuration_and_its_check_accept_the_same_names(name: str, accepted: bool, tmp_path: Path) -> None:
    if not accepted:
        with pytest.raises(InputError, match=r"^--source: .*: device name "):
            configured(name, tmp_path)
        return
    config = configured(name, tmp_path)
    check(config)
    (url,) = config.sources
    assert not isinstance(url, SharedUrl)
    assert url.device == name


@each_name
def test_topics_of_samples_and_commands_accept_the_same_names(name: str, accepted: bool) -> None:
    assert device_of(f"stinger/{name}/samples", "stinger") == (name if accepted else None)
    asked = CommandRequest("stop_recording", name)
    if accepted:
        assert parse_command(asked, {}) == StopRecording(DeviceName(name))
    else:
        with pytest.raises(InputError, match=r"^device name "):
            parse_command(asked, {})


@pytest.mark.parametrize("name", [name for name in NAMES_TO_REFUSE if name.isprintable()])
def test_watch_refuses_the_same_names(name: str) -> None:
    result = invoke("watch", f"--device={name}")
    assert result.exit_code == 2
    assert "device name " in result.stderr


@pytest.mark.parametrize("name", NAMES_TO_ACCEPT)
def test_every_accepted_device_is_recorded_and_published_and_announced(name: str, tmp_path: Path) -> None:
    device = DeviceName(name)
    recorder = Recorder(tmp_path)
    assert recorder.append(block_of(random_samples(3), device=name)) == 3
    assert recorder.stats().lost == 0
    assert recorder.close()
    (stored,) = read_store(tmp_path).recordings
    assert stored.device == device == device_of_folder(stored.path.parent.name)
    for channel in (channels.SHOT, channels.SPINUP, channels.LINK, channels.MODEL, channels.TELEMETRY):
        assert channel.topic(device).split("/") == ["stinger", name, channel.schema]
    announced = discovery_message(device, "1")
    assert announced.topic == f"homeassistant/device/stinger_{name}/config"
    assert json.loads(announced.payload)["components"]["link"]["state_topic"] == channels.LINK.topic(device)


THRESHOLDS = ((0.05, True), (0.95, True), (0.5, True), (0.0499, False), (0.9501, False), (0, False), (1, False))


@pytest.mark.parametrize(("value", "accepted"), THRESHOLDS)
def test_a_threshold_has_one_range(value: float, accepted: bool) -> None:
    def in_configuration() -> object:
        return load_config(None, {}, {"threshold": value}).threshold

    def in_environment() -> object:
        return load_config(None, {"STINGER_THRESHOLD": str(value)}, {}).threshold

    def in_command() -> object:
        command = parse_command(CommandRequest("set_threshold", None), {"threshold": value})
        assert isinstance(command, SetThreshold)
        return command.threshold

    def in_option() -> object:
        return ThresholdType().convert(str(value), None, None)

    def in_decision() -> object:
        return DecisionParameters(on=value).on

    for use in (in_configuration, in_environment, in_command, in_option, in_decision):
        if accepted:
            assert use() == value
        else:
            with pytest.raises((InputError, click.UsageError), match=r"expected a number from 0\.05 to 0\.95"):
                use()


def test_documents_and_home_assistant_have_the_same_range_of_thresholds() -> None:
    schema = channels.schema("command_set_threshold")["properties"]["threshold"]
    content = json.loads(discovery_message(DeviceName("a"), "1").payload)["components"]["threshold"]
    assert (schema["minimum"], schema["maximum"]) == (content["min"], content["max"]) == (0.05, 0.95)
