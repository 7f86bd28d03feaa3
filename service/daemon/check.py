"""Whether a daemon could start as a configuration says, as far as that can be told without starting it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from models.choice import choose_model
from models.registry import Registry
from service.config.broker_address import PASSWORD_VARIABLE, BrokerAddress, parse_broker
from service.config.config import BrokerConfig, Config
from service.sources.mqtt_source import MqttSource
from service.sources.replay_source import ReplaySource
from service.sources.serial_source import SerialSource
from service.sources.urls import DeviceSource
from stinger.errors import InputError
from stinger.logs.reading import read_log
from stinger.paths import registry_dir


def check(config: Config, sources: Sequence[DeviceSource | MqttSource]) -> None:
    """Look for what ``config`` names: model, certificates, password, recordings to play, and serial ports.

    Raises :class:`InputError` for what is not there or cannot serve. A port may be plugged in later, and a running daemon
    waits for it; who asks for a check wants to know.
    """
    choose_model(config.model, Registry(registry_dir(config.data_dir)))
    broker_address(config.broker)
    for source in sources:
        try:
            _look_for(source)
        except InputError as error:
            raise InputError(f"source '{source.url}': {error}") from error


def broker_address(broker: BrokerConfig) -> BrokerAddress:
    """Where the broker is and how to get in; :class:`InputError` for certificates or a password that cannot be read."""
    url, password = broker.url, broker.password_text()
    if broker.user is not None and "@" not in url:
        url = url.replace("://", f"://{quote(broker.user, safe='')}@", 1)
    return parse_broker(
        url,
        ca_file=broker.ca_file,
        cert_file=broker.cert_file,
        key_file=broker.key_file,
        environment={} if password is None else {PASSWORD_VARIABLE: password},
    )


def _look_for(source: DeviceSource | MqttSource) -> None:
    if isinstance(source, SerialSource):
        if source.path is not None and sys.platform != "win32" and not Path(source.path).exists():
            raise InputError("no such port: unplugged?")
    elif isinstance(source, ReplaySource):
        read_log(source.path)
