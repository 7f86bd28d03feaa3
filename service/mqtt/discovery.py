"""Device discovery for Home Assistant: one message for each blaster, with its entities.

https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload
"""

from __future__ import annotations

from typing import Any

from models.threshold import HIGHEST_THRESHOLD, LOWEST_THRESHOLD
from service.config.topic_root import TopicRoot
from service.mqtt import channels
from service.mqtt.messages import OutgoingMessage, message
from stinger.device_name import DeviceName

_SHOT_TEMPLATE = "{{ dict(value_json, event_type='shot' if value_json.accepted else 'burst') | to_json }}"
_FALSE_SPIN_UP_TEMPLATE = "{{ dict(value_json, event_type='false_spinup') | to_json }}"


def discovery_message(device: DeviceName, version: str, root: TopicRoot | None = None) -> OutgoingMessage:
    """Return the retained message that makes Home Assistant show ``device``; ``version`` is the daemon's.

    ``root`` is where topics below ``stinger`` are at the broker.
    """
    root = TopicRoot() if root is None else root
    identity = object_id(device, root)
    content = {
        "device": {
            "identifiers": [identity],
            "name": f"Stinger {device}",
            "manufacturer": "Stinger",
            "model": "Stinger foam-dart blaster",
        },
        "origin": {"name": "stinger-ml", "sw_version": version},
        "availability": [{"topic": root.outward(channels.STATUS_TOPIC), "value_template": "{{ value_json.state }}"}],
        "components": {
            name: {**_with_topics(component, root), "unique_id": f"{identity}_{name}"}
            for name, component in _components(device).items()
        },
    }
    return message(channels.DISCOVERY, discovery_topic(device, root), content)


def discovery_topic(device: DeviceName, root: TopicRoot) -> str:
    """Return the topic of the discovery message of ``device``."""
    return channels.DISCOVERY.address.replace("{id}", object_id(device, root))


def object_id(device: DeviceName, root: TopicRoot) -> str:
    """Return the object id of ``device`` in discovery topics, which take letters, digits, ``_`` and ``-``, as its name."""
    return f"{root.identifier}_{device}"


def _with_topics(component: dict[str, Any], root: TopicRoot) -> dict[str, Any]:
    return {key: root.outward(value) if key.endswith("_topic") else value for key, value in component.items()}


def _components(device: DeviceName) -> dict[str, dict[str, Any]]:
    telemetry = channels.TELEMETRY.topic(device)
    set_threshold = channels.command_channels("set_threshold").of_device
    return {
        "shot": {
            "platform": "event",
            "name": "Shot",
            "icon": "mdi:bullseye-arrow",
            "state_topic": channels.SHOT.topic(device),
            "event_types": ["shot", "burst"],
            "value_template": _SHOT_TEMPLATE,
        },
        "false_spinup": {
            "platform": "event",
            "name": "False spin-up",
            "icon": "mdi:fan-alert",
            "state_topic": channels.FALSE_SPINUP.topic(device),
            "event_types": ["false_spinup"],
            "value_template": _FALSE_SPIN_UP_TEMPLATE,
        },
        "wheels": {
            "platform": "binary_sensor",
            "name": "Wheels",
            "device_class": "running",
            "state_topic": channels.SPINUP.topic(device),
            "value_template": "{{ value_json.state }}",
            "payload_on": "on",
            "payload_off": "off",
        },
        "link": {
            "platform": "binary_sensor",
            "name": "Link",
            "device_class": "connectivity",
            "entity_category": "diagnostic",
            "state_topic": channels.LINK.topic(device),
            "value_template": "{{ 'on' if value_json.state == 'streaming' else 'off' }}",
            "payload_on": "on",
            "payload_off": "off",
            "json_attributes_topic": channels.LINK.topic(device),
        },
        "probability": {
            "platform": "sensor",
            "name": "Probability of a shot",
            "icon": "mdi:percent",
            "state_class": "measurement",
            "state_topic": telemetry,
            "value_template": "{{ value_json.probability }}",
            "suggested_display_precision": 2,
        },
        "rate": {
            "platform": "sensor",
            "name": "Sample rate",
            "device_class": "frequency",
            "unit_of_measurement": "Hz",
            "entity_category": "diagnostic",
            "state_topic": telemetry,
            "value_template": "{{ value_json.rate_hz }}",
        },
        "model": {
            "platform": "sensor",
            "name": "Model",
            "entity_category": "diagnostic",
            "state_topic": channels.MODEL.topic(device),
            "value_template": "{{ value_json.model }}",
        },
        "threshold": {
            "platform": "number",
            "name": "Threshold",
            "entity_category": "config",
            "state_topic": channels.MODEL.topic(device),
            "value_template": "{{ value_json.threshold }}",
            "command_topic": set_threshold.topic(device),
            "command_template": '{"threshold": {{ value }}}',
            "min": LOWEST_THRESHOLD,
            "max": HIGHEST_THRESHOLD,
            "step": 0.01,
        },
    }
