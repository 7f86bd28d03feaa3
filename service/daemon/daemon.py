"""The daemon: opened as a whole from its configuration, run until it is stopped, reloaded in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, Self

from service.base.logs import get_logger, set_up_logging
from service.config.broker_address import BrokerAddress
from service.config.config import KEYS, Config
from service.daemon.construction import build_parts
from service.daemon.disk_room import is_disk_full, report_pruned
from service.daemon.parts import Parts, Wrappers
from service.ops.systemd import Notifier
from service.recording.pruning import prune_periodically
from service.recording.retention import Limits, Pruned, limits_of
from stinger.errors import UnavailableError, first_error

STOP_S: Final = 1.2
"""How long the delivery of events may take when the daemon stops; with the rest, stopping takes at most two seconds."""
SUPERVISE_S: Final = 1.0
"""How often it is checked whether the recorder's thread works."""
LOCK_RETRY_S: Final = 2.0
"""How often locking the data folder is tried again while it cannot be written to."""
_LIVE: Final = frozenset(one.name for one in KEYS if one.traits.live)

_LOG = get_logger(__name__)


class DaemonFailedError(RuntimeError):
    """A task of the daemon failed, by a fault of the program, not of its user: it ends with a traceback."""


class Daemon:
    """A daemon, made by :meth:`open`. :meth:`run` runs it once. All methods are for the event loop's thread."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._config = parts.config

    @classmethod
    @asynccontextmanager
    async def open(
        cls, config: Config, *, notifier: Notifier | None = None, wrappers: Wrappers | None = None
    ) -> AsyncIterator[Self]:
        """Open everything that ``config`` names, except ports of devices; at the end, close it and complete recordings.

        ``notifier`` receives status and watchdog heartbeats. Raises :class:`~stinger.errors.InputError` for a mistake
        in the configuration, and :class:`UnavailableError` if something else keeps the daemon from starting, such as
        another one that uses the data folder.
        """
        async with AsyncExitStack() as stack:
            yield cls(await build_parts(stack, config, notifier or Notifier({}), wrappers or Wrappers()))

    @property
    def broker(self) -> BrokerAddress:
        """The broker that it publishes to, with the port that an embedded one listens on."""
        return self._parts.broker

    @property
    def metrics_url(self) -> str | None:
        """Where metrics are served, without a path; ``None`` if they are not."""
        return self._parts.metrics_server.url

    @property
    def model(self) -> str:
        """Version of the model in use."""
        return self._parts.pipeline.model

    async def run(self, stop: asyncio.Event, *, ready: Callable[[], None] = lambda: None) -> None:
        """Run until ``stop`` is set or every source has ended. ``ready`` is called when everything has started.

        At the end, everything that was read is scored, and events are delivered or stay in the outbox.

        Raises :class:`~stinger.errors.InputError` for a source that can never work, :class:`UnavailableError` if
        another daemon uses the data folder, which could not be locked at first, and :class:`DaemonFailedError` for a
        fault of the program, such as an exception in scoring.
        """
        try:
            ended_by = await self._run(stop, ready)
        except BaseExceptionGroup as group:
            error = first_error(group)
            _LOG.error("daemon_failed", reason=repr(error))
            raise DaemonFailedError("a task of the daemon failed") from error
        _LOG.info("daemon_stopped", undelivered=self._parts.link.depth)
        if ended_by is not None:
            raise ended_by

    def reload(self, config: Config) -> None:
        """Apply the live keys of ``config`` that have changed; log which others differ and wait for a restart."""
        parts = self._parts
        changed = set(config.changed_from(self._config))
        self._config = config
        set_up_logging(config.log.level, config.log.format)
        parts.mqtt_sink.publish_scores = config.scores
        if "threshold" in changed:
            parts.pipeline.configure_threshold(config.threshold)
        if any(name in _LIVE and name.startswith("recorder.") for name in changed):
            parts.room_needed.set()
        # retrain.* belongs to a process of its own.
        waiting = [
            name for name in config.changed_from(parts.config) if name not in _LIVE and not name.startswith("retrain.")
        ]
        _LOG.info("configuration_reloaded", changed=len(changed), after_a_restart=",".join(sorted(waiting)) or "none")

    async def _run(self, stop: asyncio.Event, ready: Callable[[], None]) -> BaseException | None:
        """Run every task of the daemon in one group.

        Return the error that ended the sources or the lock, if one did.
        """
        parts = self._parts
        async with asyncio.TaskGroup() as tasks:
            broker = tasks.create_task(parts.link.run(), name="broker")
            sources = tasks.create_task(self._run_sources(), name="sources")
            stopping = tasks.create_task(stop.wait(), name="stop")
            lock = tasks.create_task(self._lock_data_folder(), name="lock")
            workers = [
                tasks.create_task(parts.flow.run(), name="flow"),
                tasks.create_task(parts.telemetry.run(), name="telemetry"),
                tasks.create_task(parts.model.follow(), name="champion"),
                tasks.create_task(self._prune(), name="pruning"),
                tasks.create_task(parts.recovery.run(), name="recovery"),
                tasks.create_task(self._supervise_recorder(), name="recorder supervision"),
                tasks.create_task(parts.metrics_server.supervise(), name="metrics server"),
                tasks.create_task(self._supervise_broker(), name="embedded broker"),
                tasks.create_task(parts.notifier.run_watchdog(parts.flow.check_progress), name="watchdog"),
            ]
            if parts.registry_follower is not None:
                workers.append(tasks.create_task(parts.registry_follower.run(), name="shared registry"))
            if parts.uploading is not None:
                workers.append(tasks.create_task(parts.uploading.run(), name="uploading"))
            parts.health.heartbeat()
            parts.health.ready = True
            _LOG.info("daemon_started", version=parts.version, model=self.model)
            parts.notifier.ready()
            ready()
            try:
                await asyncio.wait({sources, stopping, lock}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                parts.health.ready = False
                parts.notifier.stopping()
                sources.cancel()
                await asyncio.wait({sources})
                parts.flow.score_queued()
                parts.pipeline.end_links("the daemon was stopped")
                for task in (*workers, stopping, lock):
                    task.cancel()
                parts.link.stop(STOP_S)
            await broker
        return next((task.result() for task in (lock, sources) if not task.cancelled()), None)

    async def _supervise_recorder(self) -> None:
        """Keep the thread that forces recordings to the disk running, and report it when it does not work."""
        while True:
            self._parts.alarms.on_disk_thread(self._parts.recorder.supervise())
            await asyncio.sleep(SUPERVISE_S)

    async def _supervise_broker(self) -> None:
        """Keep the embedded broker running, if there is one."""
        if self._parts.embedded_broker is not None:
            await self._parts.embedded_broker.supervise(self._parts.alarms.on_embedded_broker)

    async def _lock_data_folder(self) -> UnavailableError:
        """Lock the data folder as soon as it can be written to.

        Return the error if another daemon has locked it then.
        """
        parts = self._parts
        while parts.lock.problem:
            await asyncio.sleep(LOCK_RETRY_S)
            try:
                parts.lock.try_again()
            except UnavailableError as error:
                return error
            parts.alarms.on_data_folder(parts.lock.problem)
        await asyncio.Event().wait()
        raise AssertionError("waits for ever")

    async def _run_sources(self) -> BaseException | None:
        """Run all sources; with none, wait to be cancelled.

        Return the error of a source that failed, which ends all.
        """
        parts = self._parts
        try:
            async with asyncio.TaskGroup() as tasks:
                for source in parts.sources:
                    tasks.create_task(source.run(parts.intake), name=f"source {source.url}")
                if not parts.sources:
                    await asyncio.Event().wait()
        except ExceptionGroup as group:
            return first_error(group)
        _LOG.info("sources_ended", count=len(parts.sources))
        return None

    async def _prune(self) -> None:
        """Delete old recordings periodically, by the limits that the configuration has at that time."""
        parts = self._parts

        def report(pruned: Pruned) -> None:
            report_pruned(parts.metrics, pruned)
            parts.alarms.on_pruned(pruned)

        def limits() -> Limits:
            return limits_of(self._config.recorder, disk_full=is_disk_full(self._config))

        await prune_periodically(parts.retention, limits, parts.room_needed, report)
