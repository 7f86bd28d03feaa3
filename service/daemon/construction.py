"""Builds the parts of a daemon from its configuration and connects them to each other."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final

from models.choice import choose_model_that_works
from models.storage.folder import StorageFolder
from service.base.logs import get_logger
from service.config.config import Config
from service.config.source_url import SharedUrl
from service.daemon.alarms import Alarms
from service.daemon.broker_start import start_broker
from service.daemon.clock_alarm import ClockAlarm
from service.daemon.command_executor import CommandExecutor
from service.daemon.device_forgetting import DeviceForgetter, SourceOfMany
from service.daemon.disk_room import free_bytes, make_room
from service.daemon.fleet import connect_group_metrics, fence_of, group_source, join_group, saved_state
from service.daemon.flow import Flow
from service.daemon.metrics_server import MetricsServer
from service.daemon.parts import Parts, Wrappers
from service.daemon.pipeline import Pipeline
from service.daemon.recovering import BackgroundRecovery
from service.daemon.serving_model import ServingModel
from service.daemon.shared_storage import make_uploading, read_registry
from service.daemon.sinks import MetricsSink, MqttSink
from service.daemon.telemetry import TelemetryReporter, TelemetrySink
from service.mqtt.admission import admit_all
from service.mqtt.broker_link import BrokerLink
from service.mqtt.outbox import Outbox
from service.mqtt.root_change import RootChange
from service.mqtt.sample_subscription import SampleSubscription
from service.ops.health import Health
from service.ops.http import HttpServer
from service.ops.lock import DaemonLock
from service.ops.metrics import Metrics
from service.ops.open_files import raise_open_file_limit
from service.ops.process_metrics import process_metrics
from service.ops.systemd import Notifier
from service.recording.age_clock import AGE_CLOCK_NAME, AgeClock
from service.recording.held_journal import HELD_JOURNAL_NAME, HeldJournal, restore_or_warn
from service.recording.pacing import PacedRecorder
from service.recording.recorder import Recorder
from service.recording.retention import Retention
from service.recording.store import StoredFiles, list_files
from service.recording.upload_journal import JOURNAL_NAME, UploadJournal
from service.sources.build import build_sources
from service.sources.device_limit import DeviceLimit
from stinger.device_name import DeviceName
from stinger.paths import recordings_dir
from stinger.private_files import private_folder
from stinger.units import NS_PER_S

CLOSE_RECORDINGS_S: Final = 1.0
"""How long closing the recordings may take when the daemon stops."""
_MEGABYTE: Final = 1_000_000

_LOG = get_logger(__name__)


async def build_parts(stack: AsyncExitStack, config: Config, notifier: Notifier, wrappers: Wrappers) -> Parts:
    """Return the parts of a daemon; ``stack`` closes them, in the right order.

    A daemon starts with what works: another model for a damaged one, and without recording or metrics if the data
    folder cannot be written to or the port is in use, each with an alarm. Raises :class:`~stinger.errors.InputError`
    for a mistake in the configuration, and :class:`~stinger.errors.UnavailableError` if something else keeps the daemon
    from starting, such as another one that uses the data folder.
    """
    health, metrics, room_needed = Health(), Metrics(), asyncio.Event()
    alarms = Alarms(health, metrics, room_needed)
    if not stack.enter_context(private_folder(config.data_dir, group=config.group_readable)):
        _LOG.warning("data_folder_open_to_others", folder=config.data_dir)
    lock = DaemonLock(config.data_dir)
    stack.callback(lock.release)
    registry, follower = await read_registry(config, alarms)
    serving, model_problem = choose_model_that_works(config.model, registry)
    broker, embedded_broker = await start_broker(stack, config)
    recordings = recordings_dir(config.data_dir)
    shared = None if config.recordings is None else StorageFolder(config.recordings)
    retention = Retention(
        recordings,
        registry,
        clock=AgeClock(config.data_dir / AGE_CLOCK_NAME),
        uploads=None if shared is None else UploadJournal(config.data_dir / JOURNAL_NAME, shared.url),
    )
    await make_room(config, retention, metrics)
    lock.try_again()
    alarms.on_data_folder(lock.problem)
    held, left_open = await asyncio.to_thread(_left_behind, config.data_dir, recordings, lock)

    daemon_version = version("stinger-ml")
    pipeline = Pipeline(serving, min_shot_gap_ms=config.min_shot_gap_ms, threshold=config.threshold)
    flow = Flow(pipeline)
    limit = DeviceLimit(config.max_devices, on_problem=alarms.on_devices, on_forget=flow.forget)
    subscription = SampleSubscription(broker, root=config.broker.topic_root)
    fence = fence_of(config.sources)
    outbox_path = config.data_dir / "outbox.sqlite3"
    root_change = RootChange(config.data_dir, config.broker.topic_root, used_before=outbox_path.exists())
    outbox = _outbox(stack, outbox_path, config, alarms, lock)
    recorder = _recorder(stack, config, recordings, alarms)
    pacing = PacedRecorder(recorder, flow.call_later, journal=held)
    stack.callback(pacing.close)
    join = partial(
        join_group,
        fence=fence,
        pipeline=pipeline,
        limit=limit,
        release=flow.release,
        saved=partial(saved_state, pacing, recorder, outbox),
    )
    sources = build_sources(config.sources, subscription, limit, join_group=join, root=config.broker.topic_root)
    model = ServingModel(
        config.model,
        serving,
        registry,
        problem=model_problem,
        on_change=pipeline.use_model,
        on_problem=alarms.on_model,
    )

    def clear_retained(device: DeviceName) -> None:
        mqtt_sink.on_forget(device)

    forgetter = DeviceForgetter(
        pipeline,
        flow,
        [source for source in sources if isinstance(source, SourceOfMany)],
        clear=clear_retained,
        broker=broker,
        root=config.broker.topic_root,
    )
    link = BrokerLink(
        broker,
        outbox,
        version=daemon_version,
        on_command=CommandExecutor(pipeline, recorder, pacing, model, forgetter, shared=fence is not None).execute,
        on_acknowledged=lambda seconds: metrics.acknowledged.observe(round(seconds * NS_PER_S)),
        home_assistant=config.broker.home_assistant,
        # Of a shared source, what other daemons have published is right, and they are no problem.
        served=None if fence is not None else lambda: pipeline.devices,
        root=config.broker.topic_root,
        on_other_daemons=alarms.on_other_daemons if fence is None else lambda _: None,
        on_first_connection=partial(root_change.clear_old, broker),
        on_broker_problem=alarms.on_broker,
        admit=admit_all if fence is None else fence.admit,
    )
    alarms.subscribe(link.set_alarms)
    mqtt_sink = MqttSink(
        link.publisher,
        version=daemon_version,
        publish_scores=config.scores,
        stamps=config.stamps,
        root=config.broker.topic_root,
        home_assistant=config.broker.home_assistant,
    )
    figures = TelemetrySink()
    for sink in (pacing, wrappers.mqtt_sink(mqtt_sink), MetricsSink(metrics), figures, ClockAlarm(alarms.on_clocks)):
        pipeline.subscribe(sink)
    group = group_source(sources)
    if group is not None:
        pipeline.subscribe(group.sink)
    for url in config.sources:
        if not isinstance(url, SharedUrl):
            pipeline.add_device(url.device)
    _connect_metrics(metrics, outbox, link, limit)
    if fence is not None and group is not None:
        connect_group_metrics(metrics, fence, group)
    metrics.recorder = recorder.stats
    metrics.free_bytes = partial(free_bytes, config.data_dir)
    return Parts(
        config=config,
        version=daemon_version,
        broker=broker,
        embedded_broker=embedded_broker,
        metrics_server=_metrics_server(stack, config, alarms, metrics, health),
        lock=lock,
        recorder=recorder,
        sources=tuple(sources),
        intake=wrappers.intake(flow),
        pipeline=pipeline,
        flow=flow,
        model=model,
        link=link,
        mqtt_sink=mqtt_sink,
        telemetry=TelemetryReporter(
            figures,
            model,
            mqtt_sink,
            link,
            health=health,
            metrics=metrics,
            notifier=notifier,
            settle=pipeline.singles.settle_all,
        ),
        recovery=BackgroundRecovery(left_open, pipeline, mqtt_sink.publish_lost, lambda: outbox.depth),
        retention=retention,
        registry_follower=follower,
        uploading=make_uploading(config, shared, alarms, metrics),
        room_needed=room_needed,
        alarms=alarms,
        health=health,
        metrics=metrics,
        notifier=notifier,
    )


def _connect_metrics(metrics: Metrics, outbox: Outbox, link: BrokerLink, limit: DeviceLimit) -> None:
    """Have ``metrics`` read the counters of the other parts."""
    metrics.outbox_depth = lambda: outbox.depth  # numbers in memory: read from the thread of a scrape
    metrics.events_dropped = lambda: outbox.dropped
    metrics.outbox_unwritten = lambda: outbox.unwritten
    metrics.events_set_aside = lambda: outbox.set_aside_messages
    metrics.outbox_files_set_aside = lambda: outbox.set_aside_files
    metrics.messages_refused = lambda: link.publisher.problems.refused
    metrics.messages_too_long = lambda: link.publisher.problems.too_long
    metrics.devices_refused = lambda: limit.refused


def _recorder(stack: AsyncExitStack, config: Config, recordings: Path, alarms: Alarms) -> Recorder:
    recorder = Recorder(
        recordings,
        recording=config.recorder.enabled,
        sync_interval_s=config.recorder.sync_interval_s,
        max_file_bytes=config.recorder.max_file_mb * _MEGABYTE,
        keep_free_bytes=config.recorder.keep_free_mb * _MEGABYTE,
        max_open_files=raise_open_file_limit() // 2,
        on_alarm=alarms.on_recorder,
    )
    stack.callback(recorder.close, CLOSE_RECORDINGS_S)
    return recorder


def _outbox(stack: AsyncExitStack, path: Path, config: Config, alarms: Alarms, lock: DaemonLock) -> Outbox:
    """Return the outbox in the data folder.

    It is opened while the folder is locked, so that no other daemon uses it.
    """
    outbox = Outbox(
        path,
        limit=config.outbox.max_events,
        defer=asyncio.get_running_loop().call_soon,
        on_problem=alarms.on_outbox,
        may_open=lambda: not lock.problem,
        root=config.broker.topic_root,
    )
    return stack.enter_context(outbox)


def _left_behind(data_dir: Path, recordings: Path, lock: DaemonLock) -> tuple[HeldJournal, StoredFiles]:
    """Make recordings of the samples that a killed daemon held in memory.

    Returns the journal for those of this daemon, and all recordings, before the recorder adds its own.
    """
    path = data_dir / HELD_JOURNAL_NAME
    if not lock.problem:
        restore_or_warn(path, recordings)
    return HeldJournal(path), list_files(recordings)


def _metrics_server(
    stack: AsyncExitStack, config: Config, alarms: Alarms, metrics: Metrics, health: Health
) -> MetricsServer:
    """Serve metrics and health if a port is configured."""
    port = config.metrics.port

    def start() -> HttpServer:
        assert port is not None
        process_metrics()  # its import takes a tenth of a second, which the first scrape would take from scoring
        return HttpServer(
            port=port, host=config.metrics.host, metrics=metrics.expose, unready_reason=health.unready_reason
        )

    server = MetricsServer(None if port is None else start, alarms.on_metrics_server)
    stack.callback(server.close)
    return server
