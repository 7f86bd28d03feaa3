"""The parts of a daemon, and what tests may put around them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from service.base.sink import Sink
from service.base.source import Intake, Source
from service.config.broker_address import BrokerAddress
from service.config.config import Config
from service.daemon.alarms import Alarms
from service.daemon.flow import Flow
from service.daemon.metrics_server import MetricsServer
from service.daemon.pipeline import Pipeline
from service.daemon.recovering import BackgroundRecovery
from service.daemon.registry_follower import RegistryFollower
from service.daemon.serving_model import ServingModel
from service.daemon.sinks import MqttSink
from service.daemon.telemetry import TelemetryReporter
from service.mqtt.broker_link import BrokerLink
from service.mqtt.embedded_broker import EmbeddedBroker
from service.ops.health import Health
from service.ops.lock import DaemonLock
from service.ops.metrics import Metrics
from service.ops.systemd import Notifier
from service.recording.recorder import Recorder
from service.recording.retention import Retention
from service.recording.uploading import Uploading


@dataclass(frozen=True, slots=True)
class Wrappers:
    """Functions with which tests wrap parts of a daemon; by default they wrap nothing."""

    mqtt_sink: Callable[[Sink], Sink] = lambda sink: sink
    """Called with the sink that publishes; returns the one to use instead."""
    intake: Callable[[Intake], Intake] = lambda intake: intake
    """Called with the intake of the sources; returns the one to use instead."""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """The parts of a daemon, complete and connected, none of them running yet."""

    config: Config
    """The configuration that they were built from."""
    version: str
    broker: BrokerAddress
    """Address of the broker, with the port that an embedded one listens on."""
    embedded_broker: EmbeddedBroker | None
    metrics_server: MetricsServer
    lock: DaemonLock
    recorder: Recorder
    sources: tuple[Source, ...]
    intake: Intake
    pipeline: Pipeline
    flow: Flow
    model: ServingModel
    link: BrokerLink
    mqtt_sink: MqttSink
    telemetry: TelemetryReporter
    recovery: BackgroundRecovery
    retention: Retention
    registry_follower: RegistryFollower | None
    """Keeps the copy of a shared registry up to date, if one is configured."""
    uploading: Uploading | None
    """Uploads recordings to shared storage, if one is configured."""
    room_needed: asyncio.Event
    """Set to have old recordings deleted at once."""
    alarms: Alarms
    health: Health
    metrics: Metrics
    notifier: Notifier
