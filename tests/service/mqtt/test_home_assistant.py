"""Home Assistant itself accepts our discovery messages, and understands what we publish.

These tests need Home Assistant (``pip install homeassistant``; 2026.11 needs Python 3.14) and are skipped without it.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.config.topic_root import TopicRoot
from service.mqtt.discovery import discovery_message
from stinger.device_name import parse_device_name
from tests.helpers.places import ROOT

schemas = pytest.importorskip(
    "homeassistant.components.mqtt.schemas", reason="Home Assistant is not installed", exc_type=ImportError
)

EXAMPLES = {
    name: json.loads(text)
    for name, text in re.findall(
        r"<!-- (\w+) -->\n```json\n(.*?)\n```", (ROOT / "docs" / "mqtt.md").read_text(encoding="utf-8"), re.DOTALL
    )
}
ROOTS = (TopicRoot(), TopicRoot("halls/east"))


@pytest.fixture
def hass(tmp_path: Path) -> Iterator[Any]:
    """Home Assistant without integrations: its templates are only valid where there is one."""
    core = importlib.import_module("homeassistant.core")

    async def make() -> Any:
        return core.HomeAssistant(str(tmp_path))

    with asyncio.Runner() as runner:
        yield runner.run(make())


def content(root: TopicRoot) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(discovery_message(parse_device_name("b1"), "0.1.0", root).payload)
    return found


@pytest.mark.usefixtures("hass")
@pytest.mark.parametrize("root", ROOTS, ids=str)
def test_home_assistant_accepts_the_device(root: TopicRoot) -> None:
    schemas.validate_device_discovery_components(schemas.DEVICE_DISCOVERY_SCHEMA(content(root)))


@pytest.mark.usefixtures("hass")
@pytest.mark.parametrize("root", ROOTS, ids=str)
def test_home_assistant_accepts_each_entity_and_knows_all_of_its_keys(root: TopicRoot) -> None:
    device = content(root)
    for component in device.pop("components").values():
        platform = importlib.import_module(f"homeassistant.components.mqtt.{component.pop('platform')}")
        for schema in (platform.DISCOVERY_SCHEMA, platform.PLATFORM_SCHEMA_MODERN):
            assert component.keys() <= schema({**component, **device}).keys()


def test_templates_of_home_assistant_read_what_we_publish(hass: Any) -> None:
    template = importlib.import_module("homeassistant.helpers.template").Template
    states = {}
    for name, component in content(TopicRoot())["components"].items():
        message = json.dumps(EXAMPLES[component["state_topic"].rpartition("/")[2]])
        read = template(component["value_template"], hass)
        states[name] = read.async_render_with_possible_json_value(message, "not read")
    shot, false_spin_up = json.loads(states.pop("shot")), json.loads(states.pop("false_spinup"))
    assert (shot["event_type"], false_spin_up["event_type"]) == ("shot", "false_spinup")
    assert states == {
        "wheels": "on",
        "link": "off",
        "probability": "0.031",
        "rate": "100",
        "model": "lr-3",
        "threshold": "0.5",
    }


def test_home_assistant_sends_the_threshold_as_a_command(hass: Any) -> None:
    template = importlib.import_module("homeassistant.helpers.template").Template
    command = content(TopicRoot())["components"]["threshold"]["command_template"]
    sent = template(command, hass).async_render({"value": 0.6}, parse_result=False)
    assert json.loads(sent) == {"threshold": 0.6}
