"""The daemon: sources, flow, recorder, broker and metrics, put together, started, and stopped without a loss."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from models.choice import ChosenModel
from models.decision import DecisionParameters
from models.registry import Registry
from service.base.logs import event_text, set_up_logging
from service.base.source import Intake, LinkState, Source
from service.config.broker_address import BrokerAddress
from service.config.config import Config
from service.daemon.flow import Flow, Sink
from service.daemon.operating import Operating
from service.daemon.serving_model import ServingModel
from service.daemon.sinks import MetricsSink, MqttSink, RecorderSink
from service.mqtt.broker_link import BrokerLink
from service.mqtt.commands import Command
from service.mqtt.embedded_broker import EmbeddedBroker
from service.mqtt.messages import telemetry_message
from service.mqtt.outbox import Outbox
from service.mqtt.sample_subscription import SampleSubscription
from service.ops.health import Health
from service.ops.http import HttpServer
from service.ops.lock import daemon_lock
from service.ops.metrics import Metrics
from service.ops.open_files import raise_open_file_limit
from service.ops.systemd import Notifier
from service.recording.disk_alarm import RecorderAlarm
from service.recording.pacing import PacedRecorder
from service.recording.pruning import prune_periodically
from service.recording.recorder import Recorder
from service.recording.recovery import recover
from service.recording.retention import Pruned, Retention, limits_of
from service.sources.build import build_sources
from stinger.device_name import DeviceName
from stinger.paths import recordings_dir, registry_dir

STOP_S: Final = 1.2
"""How long delivering may take when the daemon stops; with the rest it stays within two seconds."""
_TELEMETRY_S: Final = 1.0
_TELEMETRY_A_TURN: Final = 20
_MEGABYTE: Final = 1_000_000
_RETENTION: Final = frozenset({"recorder.keep", "recorder.keep_size", "recorder.keep_trained"})
_COUNT_AT_ONCE: Final = _RETENTION | {"log.level", "log.format", "scores", "threshold"}
"""What can change while the daemon runs."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Running:
    """Where a running daemon can be met."""

    broker: BrokerAddress
    metrics_url: str | None
    model: str


class Daemon:
    """A daemon as ``config`` says. :meth:`run` runs it once; all else is for the event loop's thread.

    ``wrap_publisher`` and ``wrap_intake`` put something in front of the sink that publishes and of the flow, for tests.
    """

    def __init__(
        self,
        config: Config,
        *,
        wrap_publisher: Callable[[Sink], Sink] = lambda sink: sink,
        wrap_intake: Callable[[Intake], Intake] = lambda intake: intake,
    ) -> None:
        self.config = config
        self._wrap_publisher = wrap_publisher
        self._wrap_intake = wrap_intake
        self._stop = asyncio.Event()
        self._registry = Registry(registry_dir(config.data_dir))
        self._metrics = Metrics()
        self._version = version("stinger-ml")
        self._health = Health()
        self._notifier = Notifier({})
        self._recordings = recordings_dir(config.data_dir)
        self._room_is_needed = asyncio.Event()

    def stop(self) -> None:
        """Let :meth:`run` end: what was read is scored, recordings are closed, events delivered or kept."""
        self._stop.set()

    async def run(self, *, ready: Callable[[Running], None] = lambda _: None, notifier: Notifier | None = None) -> None:
        """Run until :meth:`stop`, or until every source has come to its end. ``ready`` is told once all is up.

        ``notifier`` is told how the daemon does, and that it gets on.

        Raises :class:`InputError` for what keeps it from starting, and for a source that can never work.
        """
        self._notifier = notifier or self._notifier
        async with AsyncExitStack() as stack:
            stack.enter_context(daemon_lock(self.config.data_dir))
            await self._run(stack, ready)

    async def _run(self, stack: AsyncExitStack, ready: Callable[[Running], None]) -> None:
        config = self.config
        self._model = ServingModel(
            config.model, self._registry, on_change=self._use_model, on_trouble=self._model_alarm
        )
        address = config.broker.address()
        if address.embedded:
            broker = await stack.enter_async_context(EmbeddedBroker(address.port))
            address = replace(address, port=broker.port)
        sources = build_sources(config.sources, SampleSubscription(address))
        recovery = await asyncio.to_thread(recover, self._recordings)
        if recovery.closed or recovery.problems:
            _LOG.warning(event_text("recordings_recovered", closed=recovery.closed, problems=len(recovery.problems)))
        loop = asyncio.get_running_loop()
        outbox = stack.enter_context(
            Outbox(config.data_dir / "outbox.sqlite3", limit=config.outbox.max_events, defer=loop.call_soon)
        )
        recorder = Recorder(
            self._recordings,
            recording=config.recorder.enabled,
            sync_interval_s=config.recorder.sync_interval_s,
            max_file_bytes=config.recorder.max_file_mb * _MEGABYTE,
            keep_free_bytes=config.recorder.keep_free_mb * _MEGABYTE,
            max_open_files=raise_open_file_limit() // 2,
            on_alarm=self._recorder_alarm,
        )
        self._recorder = recorder
        stack.callback(recorder.close, 1.0)
        pace = PacedRecorder(recorder, loop.call_later)
        stack.callback(pace.close)
        self._link = BrokerLink(
            address,
            outbox,
            version=self._version,
            on_command=self._obey,
            on_acknowledged=lambda seconds: self._metrics.acknowledged.observe(round(seconds * 1e9)),
            home_assistant=config.broker.home_assistant,
        )
        self._mqtt = MqttSink(
            self._link.publisher,
            self._in_use,
            version=self._version,
            publish_scores=config.scores,
            stamps=config.stamps,
            home_assistant=config.broker.home_assistant,
        )
        self._flow = Flow(
            self._model.serving.model,
            self._model.serving.version,
            self._decision(self._model.serving),
            [
                RecorderSink(pace),
                self._wrap_publisher(self._mqtt),
                MetricsSink(self._metrics),
            ],
            min_shot_gap_ms=config.min_shot_gap_ms,
        )
        self._operating = Operating(self._flow, recorder, pace, self._model, self._tell_models)
        self._metrics.outbox_depth = lambda: outbox.depth  # a number in memory: asked from another thread
        self._metrics.events_dropped = lambda: outbox.dropped
        self._metrics.recorder = recorder.stats
        self._metrics.free_bytes = partial(_free_bytes, config.data_dir)
        http = self._serve_http(stack)
        running = Running(address, http, self._model.serving.version)
        await self._keep_running(sources, partial(ready, running))

    async def _keep_running(self, sources: list[Source], ready: Callable[[], None]) -> None:
        async with asyncio.TaskGroup() as tasks:
            broker = tasks.create_task(self._link.run(), name="broker")
            helpers = [
                tasks.create_task(self._flow.run(), name="flow"),
                tasks.create_task(self._tell_telemetry(), name="telemetry"),
                tasks.create_task(self._model.follow(), name="champion"),
                tasks.create_task(self._prune(), name="pruning"),
                tasks.create_task(self._notifier.run_watchdog(self._flow.gets_on), name="watchdog"),
            ]
            bringing = asyncio.create_task(self._bring(sources), name="sources")
            stopping = tasks.create_task(self._stop.wait(), name="stop")
            self._health.heartbeat()
            self._health.ready = True
            _LOG.info(event_text("daemon_started", version=self._version, model=self._flow.version))
            self._notifier.ready()
            ready()
            try:
                await asyncio.wait({bringing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._health.ready = False
                self._notifier.stopping()
                failure = await _ended(bringing)
                self._flow.score_waiting()
                for task in (*helpers, stopping):
                    task.cancel()
                self._link.stop(STOP_S)
            await broker
        _LOG.info(event_text("daemon_stopped", waiting=self._link.depth))
        if failure is not None:
            raise failure

    async def _bring(self, sources: list[Source]) -> None:
        """Run every source; returns when none can bring anything more, which without sources is never."""
        intake = self._wrap_intake(self._flow)
        async with asyncio.TaskGroup() as tasks:
            for source in sources:
                tasks.create_task(source.run(intake), name=f"source {source.url}")
        if not sources:
            await self._stop.wait()
        _LOG.info(event_text("sources_ended", count=len(sources)))

    async def _tell_telemetry(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += _TELEMETRY_S
            await asyncio.sleep(due - loop.time())
            self._health.heartbeat()
            told = self._flow.telemetry()
            for number, telemetry in enumerate(told, start=1):
                self._link.publisher.put(telemetry_message(telemetry))
                if number % _TELEMETRY_A_TURN == 0:
                    await asyncio.sleep(0)  # a thousand devices take longer than a sample may wait
            status = self._health.status_line(
                streaming=sum(one.link == LinkState.STREAMING.value for one in told),
                devices=len(told),
                model=self._flow.version,
                connected=self._link.connected,
            )
            self._notifier.status(status)
            self._metrics.broker_connected = self._link.connected
            self._metrics.broker_connects = self._link.reconnects + 1

    async def _prune(self) -> None:
        def told(pruned: Pruned) -> None:
            self._metrics.set_stored(kept=pruned.left, kept_bytes=pruned.left_bytes, deleted=len(pruned.deleted))
            problem = pruned.problems[0] if pruned.problems else ""
            if problem != self._health.alarm_of("retention"):
                self._alarm("retention", problem)

        retention = Retention(self._recordings, self._registry)
        await prune_periodically(retention, lambda: limits_of(self.config.recorder), self._room_is_needed, told)

    async def _obey(self, command: Command) -> Mapping[str, Any]:
        return await self._operating.obey(command)

    def _use_model(self, serving: ChosenModel) -> None:
        self._flow.use_model(serving.model, serving.version, self._decision(serving))
        self._tell_models()

    def _tell_models(self) -> None:
        self._mqtt.tell_models()
        for device in self._flow.devices:
            self._metrics.set_model(device, self._flow.version)
            self._recorder.describe(device, model=self._flow.version)

    def reload(self, config: Config) -> None:
        """Take over what can change while the daemon runs; of the rest it is said that it waits for a restart."""
        changed = set(config.changed_from(self.config))
        set_up_logging(config.log.level, config.log.format)
        self._mqtt.publish_scores = config.scores
        if "threshold" in changed and config.threshold is not None:
            self._flow.set_threshold(None, config.threshold)
            self._tell_models()
        later = sorted(
            name
            for name in changed - _COUNT_AT_ONCE
            if not name.startswith("retrain.")  # a process of its own goes by that
        )
        _LOG.info(event_text("configuration_reloaded", changed=len(changed), after_a_restart=",".join(later) or "none"))
        self.config = config
        if changed & _RETENTION:
            self._room_is_needed.set()

    def _in_use(self, device: DeviceName) -> tuple[str, float]:
        self._metrics.set_model(device, self._flow.version)
        self._recorder.describe(device, model=self._flow.version)
        return self._flow.version, self._flow.threshold(device)

    def _decision(self, serving: ChosenModel) -> DecisionParameters:
        decision = serving.model.meta.decision
        return decision if self.config.threshold is None else decision.at(self.config.threshold)

    def _serve_http(self, stack: AsyncExitStack) -> str | None:
        metrics = self.config.metrics
        if metrics.port is None:
            return None
        server = HttpServer(
            port=metrics.port,
            host=metrics.host,
            metrics=self._metrics.expose,
            unready_reason=self._health.unready_reason,
        )
        stack.callback(server.close)
        return server.url

    def _model_alarm(self, why: str) -> None:
        self._metrics.model_refused = bool(why)
        self._alarm("model", why)

    def _recorder_alarm(self, alarm: RecorderAlarm) -> None:
        if alarm.active:
            self._room_is_needed.set()
        self._alarm("recorder", f"recording has stopped: {alarm.reason}" if alarm.active else "")

    def _alarm(self, about: str, text: str) -> None:
        """Say what a person must see to, until it is said again as empty."""
        self._health.set_alarm(about, text)
        self._link.set_alarm(self._health.alarms)


def _free_bytes(folder: Path) -> int | None:
    """What is free on the disk that holds ``folder``; ``None`` if the system does not tell."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


async def _ended(task: asyncio.Task[None]) -> BaseException | None:
    """Cancel ``task``, wait for its end, and return what it failed of; one failure out of a group of them."""
    task.cancel()
    await asyncio.wait({task})
    failure = None if task.cancelled() else task.exception()
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure
