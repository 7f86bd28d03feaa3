"""The daemon's link to its broker: stays connected, publishes messages by their delivery policies, receives commands."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

from service.base.backoff import Backoff
from service.base.logs import get_logger
from service.base.states import DaemonStatus
from service.base.wall_clock import HOST_CLOCK
from service.config.broker_address import BrokerAddress
from service.config.topic_root import TopicRoot
from service.mqtt.aiomqtt_connection import AiomqttConnection
from service.mqtt.broker_lacks import lacks_of
from service.mqtt.broker_state import BrokerLinkTimes, BrokerState
from service.mqtt.channels import COMMAND_FILTER, COMMANDS, HOME_ASSISTANT_STATUS, command_channels, is_command
from service.mqtt.command_queue import CommandHandler, CommandQueue
from service.mqtt.connection import (
    BrokerLimits,
    ConnectionTimes,
    IncomingMessage,
    MqttError,
    PublishingConnection,
    QoS,
    Will,
)
from service.mqtt.connector import Connector
from service.mqtt.messages import OutgoingMessage, status_message
from service.mqtt.outbox import Outbox
from service.mqtt.publisher import AcknowledgedHandler, Publisher
from service.mqtt.reason_codes import REFUSED, suback_text
from service.mqtt.retained_states import STATE_FILTERS, RetainedStates, Served

_LOG: Final = get_logger(__name__)


FirstConnectionHandler = Callable[[], Awaitable[None]]


class BrokerLink:
    """Keeps the daemon connected to the broker at ``address`` while :meth:`run` runs.

    Messages are put into :attr:`publisher`. ``on_command`` carries out commands; ``on_acknowledged`` takes the seconds
    that the broker took for an event. With ``home_assistant``, retained messages are published again when Home Assistant
    starts. ``served`` returns the devices that are served: at the first connection, states are corrected that an earlier run
    left at the broker; without ``served``, none are. ``root`` is where topics below ``stinger`` are at the broker. ``on_first_connection`` is run beside the first connection;
    it may raise :class:`MqttError`, which ends that connection. All methods are for the event loop's thread.
    """

    def __init__(
        self,
        address: BrokerAddress,
        outbox: Outbox,
        *,
        version: str,
        on_command: CommandHandler | None = None,
        on_acknowledged: AcknowledgedHandler | None = None,
        home_assistant: bool = False,
        served: Served | None = None,
        root: TopicRoot | None = None,
        on_first_connection: FirstConnectionHandler | None = None,
        times: BrokerLinkTimes | None = None,
        connection_times: ConnectionTimes | None = None,
    ) -> None:
        self._address = address
        self._outbox = outbox
        self._version = version
        self._commands = CommandQueue(on_command) if on_command is not None else None
        self._publisher = Publisher(outbox, on_acknowledged)
        self._home_assistant = home_assistant
        self._states = None if served is None else RetainedStates(self._publisher, served)
        if self._states is not None:
            self._states.correct_waiting(outbox.newest_retained())
        self._state_received_s = 0.0
        self._states_corrected = False
        self._on_first_connection = on_first_connection
        self._times = BrokerLinkTimes() if times is None else times
        will = status_message(DaemonStatus(online=False, host_s=None, reason="lost", version=version))
        self._connector = Connector(
            AiomqttConnection,
            address,
            # The same for every connection, so that the broker ends the old one, and has published its will, before it
            # accepts the new one.
            identifier=f"stinger-{secrets.token_hex(6)}",
            will=Will(will.topic, will.payload, will.qos, will.retain),
            times=connection_times,
            root=root,
        )
        self._state = BrokerState.STOPPED
        self._connections = 0
        self._alarm = ""
        self._stop_requested = asyncio.Event()
        self._stop_by_s = 0.0
        self._failures: set[str] = set()
        self._lacks: set[str] = set()

    @property
    def state(self) -> BrokerState:
        """What the link is doing."""
        return self._state

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the connection and nobody has asked the link to stop."""
        return self._state is BrokerState.CONNECTED

    @property
    def reconnects(self) -> int:
        """How many connections were made after the first."""
        return max(0, self._connections - 1)

    @property
    def protocol(self) -> str:
        """The version of MQTT in use, or the one that is tried next: ``5`` or ``3.1.1``."""
        return str(self._connector.version)

    @property
    def depth(self) -> int:
        """How many messages of the outbox the broker has not acknowledged."""
        return self._outbox.depth

    @property
    def publisher(self) -> Publisher:
        """Takes the messages to publish; it keeps them while there is no connection."""
        return self._publisher

    def set_alarm(self, text: str) -> None:
        """Publish ``text`` as the alarm in the daemon's status from now on; an empty text ends the alarm."""
        if text != self._alarm:
            self._alarm = text
            self._publisher.put(self._status())

    async def run(self) -> None:
        """Stay connected until :meth:`stop` or cancelled. A broker that is away is waited for, never an error."""
        try:
            async with asyncio.TaskGroup() as tasks:
                checkpointing = tasks.create_task(self._checkpoint(), name="outbox-checkpoint")
                retrying = tasks.create_task(self._retry_outbox(), name="outbox-retry")
                connecting = tasks.create_task(self._stay_connected(), name="broker-connections")
                await self._stop_requested.wait()
                # A connection that is just being made may still deliver.
                await asyncio.wait({connecting}, timeout=max(0.0, self._stop_by_s - time.monotonic()))
                connecting.cancel()
                for task in (checkpointing, retrying):
                    task.cancel()
        finally:
            self._state = BrokerState.STOPPED

    def stop(self, within_s: float) -> None:
        """Have :meth:`run` end within ``within_s`` or little more; what was not delivered by then stays in the outbox."""
        self._stop_by_s = time.monotonic() + within_s
        self._state = BrokerState.STOPPING
        self._stop_requested.set()

    async def _stay_connected(self) -> None:
        backoff = Backoff()
        while not self._stop_requested.is_set():
            self._enter(BrokerState.CONNECTING)
            connections, began_s = self._connections, time.monotonic()
            try:
                await self._connect_and_serve()
            except* MqttError as errors:
                if self._connections > connections and time.monotonic() - began_s > self._times.stable_s:
                    backoff.reset()
                    self._failures.clear()
                self._log_failure(_innermost(errors))
            self._enter(BrokerState.WAITING)
            with suppress(TimeoutError):
                async with asyncio.timeout(backoff.next_s()):
                    await self._stop_requested.wait()

    def _enter(self, state: BrokerState) -> None:
        if self._state is not BrokerState.STOPPING:
            self._state = state

    async def _connect_and_serve(self) -> None:
        """Serve one connection, from its beginning to its end."""
        async with self._connector.connect(self._receive, self._publisher.wake) as connection:
            await self._subscribe(connection)
            self._enter(BrokerState.CONNECTED)
            self._connections += 1
            _LOG.info("broker_connected", broker=self._address, mqtt=self.protocol, connections=self._connections)
            self._report_limits(connection.limits)
            self._publisher.announce()
            self._publisher.put(self._status())
            await self._serve(connection)

    async def _subscribe(self, connection: PublishingConnection) -> None:
        filters: list[tuple[str, QoS]] = []
        if self._commands is not None:
            wildcards = connection.limits.wildcards_available
            commands = [COMMAND_FILTER] if wildcards else [command_channels(name)[1].address for name in COMMANDS]
            filters += [(name, 1) for name in commands]
        filters += [(HOME_ASSISTANT_STATUS, 1)] if self._home_assistant else []
        if filters:
            await self._subscribe_to(connection, filters)

    async def _subscribe_to(self, connection: PublishingConnection, filters: Sequence[tuple[str, QoS]]) -> None:
        codes = await connection.subscribe(filters)
        for (name, _), code in zip(filters, codes, strict=True):
            if code >= REFUSED:
                _LOG.warning("broker_refused_subscription", topic=name, reason=suback_text(code))

    def _report_limits(self, limits: BrokerLimits) -> None:
        """Log what the broker cannot do, each once."""
        for lack in lacks_of(limits):
            if lack not in self._lacks:
                self._lacks.add(lack)
                _LOG.warning("broker_limited", broker=self._address, reason=lack)

    async def _serve(self, connection: PublishingConnection) -> None:
        async with asyncio.TaskGroup() as tasks:
            working = [
                tasks.create_task(connection.wait_lost(), name="broker-connection"),
                tasks.create_task(self._publisher.publish_through(connection), name="broker-publish"),
            ]
            if self._on_first_connection is not None:
                working.append(tasks.create_task(self._handle_first_connection(), name="broker-first-connection"))
            if self._states is not None and not self._states_corrected and connection.limits.wildcards_available:
                working.append(tasks.create_task(self._correct_states(connection), name="broker-states"))
            if self._commands is not None:
                working.append(tasks.create_task(self._commands.serve(connection), name="broker-commands"))
            try:
                await self._stop_requested.wait()
                await self._publisher.drain(self._stop_by_s - self._times.farewell_s - time.monotonic())
            finally:
                await self._publish_offline(connection)
            for task in working:
                task.cancel()

    async def _correct_states(self, connection: PublishingConnection) -> None:
        """Have the broker deliver the retained states, which :meth:`_receive` passes on."""
        await self._subscribe_to(connection, [(name, 0) for name in STATE_FILTERS])
        left_s = self._times.states_s
        while left_s > 0:
            await asyncio.sleep(left_s)
            left_s = self._state_received_s + self._times.states_s - time.monotonic()
        connection.unsubscribe(STATE_FILTERS)
        self._states_corrected = True

    async def _handle_first_connection(self) -> None:
        if self._on_first_connection is not None:
            await self._on_first_connection()
            self._on_first_connection = None

    async def _publish_offline(self, connection: PublishingConnection) -> None:
        """Publish that the daemon is offline: DISCONNECT keeps the broker from publishing the will. Wait unless cancelled."""
        offline = self._status(online=False)
        task = asyncio.current_task()
        with suppress(MqttError, TimeoutError, ValueError):
            if task is not None and task.cancelling():
                connection.publish(offline)
            else:
                async with asyncio.timeout(self._times.farewell_s):
                    await connection.deliver(offline)

    def _receive(self, message: IncomingMessage, _read_ns: int) -> None:
        if message.topic == HOME_ASSISTANT_STATUS:
            if message.payload == b"online":
                self._publisher.announce()
        elif self._commands is not None and is_command(message.topic):
            self._commands.put(message)
        elif self._states is not None and message.retain:
            self._state_received_s = time.monotonic()
            self._states.take(message.topic, message.payload)

    def _status(self, *, online: bool = True) -> OutgoingMessage:
        reason = "started" if online else "stopped"
        return status_message(DaemonStatus(online, HOST_CLOCK.now_s(), reason, self._version, self._alarm))

    async def _checkpoint(self) -> None:
        while True:
            await asyncio.sleep(self._times.checkpoint_every_s)
            await asyncio.to_thread(self._outbox.checkpoint)

    async def _retry_outbox(self) -> None:
        while True:
            await asyncio.sleep(self._times.outbox_retry_s)
            self._outbox.retry()

    def _log_failure(self, error: BaseException) -> None:
        """Log why there is no connection: a warning for a new reason, debug for one that repeats.

        Unlike with ``RepeatedFailure``, two reasons that alternate are no news: before its first answer a broker is tried
        in both versions of MQTT, which it may refuse for different reasons.
        """
        reason = str(error)
        level = logging.DEBUG if reason in self._failures else logging.WARNING
        self._failures.add(reason)
        _LOG.log(level, "broker_not_connected", broker=self._address, reason=reason)


def _innermost(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    first: BaseException = errors
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
