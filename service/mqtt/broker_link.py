"""The daemon's link to its broker.

The link stays connected, publishes messages by their delivery policies, and receives commands.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from service.base.backoff import Backoff
from service.base.states import DaemonStatus
from service.base.wall_clock import HOST_CLOCK
from service.config.broker_address import BrokerAddress
from service.config.topic_root import TopicRoot
from service.mqtt.admission import Admission, admit_all
from service.mqtt.aiomqtt_connection import AiomqttConnection
from service.mqtt.broker_endings import BrokerEndings, BrokerProblemHandler
from service.mqtt.broker_log import BrokerLog
from service.mqtt.broker_state import BrokerLinkTimes, BrokerState
from service.mqtt.channels import (
    COMMAND_FILTER,
    COMMANDS,
    HOME_ASSISTANT_STATUS,
    STATUS_TOPIC,
    command_channels,
    is_command,
)
from service.mqtt.command_queue import CommandHandler, CommandQueue
from service.mqtt.connection import IncomingMessage, PublishingConnection
from service.mqtt.connection_settings import ConnectionTimes, QoS, Will
from service.mqtt.connector import Connector
from service.mqtt.errors import MqttError
from service.mqtt.messages import OutgoingMessage, status_message
from service.mqtt.other_daemons import OtherDaemons
from service.mqtt.outbox import Outbox
from service.mqtt.publisher import AcknowledgedHandler, Publisher
from service.mqtt.retained_states import RetainedStates, Served
from service.mqtt.subscribing import PatientSubscriber
from stinger.errors import first_error

FirstConnectionHandler = Callable[[], Awaitable[None]]
OtherDaemonsHandler = Callable[[str], None]
"""Takes a line for people that there is another daemon with the same topic root; an empty text when there is none."""


class BrokerLink:
    """Keeps the daemon connected to the broker at ``address`` while :meth:`run` runs.

    Messages are put into :attr:`publisher`. ``on_command`` carries out commands; ``on_acknowledged`` takes the seconds
    that the broker took for an event. With ``home_assistant``, retained messages are published again when Home
    Assistant starts. ``served`` returns the devices that are served: at the first connection, states are corrected that
    an earlier run left at the broker; without ``served``, none are. ``root`` is where topics below ``stinger`` are at
    the broker; ``on_other_daemons`` learns of other daemons there, ``on_broker_problem`` of a broker that ends each
    connection. ``on_first_connection`` is run beside the first connection; it may raise :class:`MqttError`, which ends
    that connection. ``admit`` is asked before each message is sent. All methods are for the event loop's thread.
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
        on_other_daemons: OtherDaemonsHandler | None = None,
        on_first_connection: FirstConnectionHandler | None = None,
        on_broker_problem: BrokerProblemHandler | None = None,
        times: BrokerLinkTimes | None = None,
        connection_times: ConnectionTimes | None = None,
        admit: Admission = admit_all,
    ) -> None:
        self._log = BrokerLog(address)
        self._outbox = outbox
        self._version = version
        self._instance = secrets.token_hex(6)
        self._commands = CommandQueue(on_command, root=root) if on_command is not None else None
        self._times = BrokerLinkTimes() if times is None else times
        self._publisher = Publisher(
            outbox, on_acknowledged, acknowledge_s=self._times.acknowledge_s, admit=admit, root=root
        )
        self._home_assistant = home_assistant
        self._states = (
            None
            if served is None
            else RetainedStates(self._publisher, served, quiet_s=self._times.states_s, root=root or TopicRoot())
        )
        self._endings = BrokerEndings(address, self._publisher, on_broker_problem, stable_s=self._times.stable_s)
        if self._states is not None:
            self._states.correct_waiting(outbox.newest_retained())
        self._others = (
            None
            if on_other_daemons is None
            else OtherDaemons(root or TopicRoot(), self._instance, on_other_daemons, self._publish_status)
        )
        self._on_first_connection = on_first_connection
        will = status_message(DaemonStatus(False, None, "lost", version, self._instance))
        self._connector = Connector(
            AiomqttConnection,
            address,
            # The same for every connection, so that the broker ends the old one, and has published its will, before it
            # accepts the new one.
            identifier=f"stinger-{self._instance}",
            will=Will(will.topic, will.payload, will.qos, will.retain),
            times=connection_times,
            root=root,
        )
        self._state = BrokerState.STOPPED
        self._connections = 0
        self._subscriber = PatientSubscriber()
        self._alarms: Mapping[str, str] = {}
        self._stop_requested = asyncio.Event()
        self._stop_by_s = 0.0

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

    def set_alarms(self, alarms: Mapping[str, str]) -> None:
        """Publish ``alarms``, texts by topic, in the daemon's status from now on."""
        if alarms != self._alarms:
            self._alarms = dict(alarms)
            self._publish_status()

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
        """Have :meth:`run` end within ``within_s`` or little more.

        What was not delivered by then stays in the outbox.
        """
        self._stop_by_s = time.monotonic() + within_s
        self._state = BrokerState.STOPPING
        self._stop_requested.set()

    async def _stay_connected(self) -> None:
        backoff = Backoff(longest_s=self._times.retry_longest_s)
        while not self._stop_requested.is_set():
            self._enter(BrokerState.CONNECTING)
            connections, began_s = self._connections, time.monotonic()
            try:
                await self._connect_and_serve()
            except* MqttError as errors:
                if self._connections > connections and time.monotonic() - began_s > self._times.stable_s:
                    backoff.reset()
                    self._log.worked()
                error = first_error(errors)
                self._log.failed(error)
                self._endings.take_failure(error)
            self._enter(BrokerState.WAITING)
            with suppress(TimeoutError):
                async with asyncio.timeout(backoff.next_s()):
                    await self._stop_requested.wait()

    def _enter(self, state: BrokerState) -> None:
        if self._state is not BrokerState.STOPPING:
            self._state = state

    async def _connect_and_serve(self) -> None:
        """Serve one connection, from its beginning to its end."""
        if self._others is not None:
            self._others.reset()
        async with self._connector.connect(self._receive, self._publisher.wake) as connection:
            self._endings.begin(connection)
            try:
                await self._subscribe(connection)
                self._enter(BrokerState.CONNECTED)
                self._connections += 1
                self._log.connected(self.protocol, self._connections, connection.limits)
                self._publisher.announce()
                self._publish_status()
                await self._serve(connection)
            finally:
                self._endings.conclude(connection)

    async def _subscribe(self, connection: PublishingConnection) -> None:
        filters: list[tuple[str, QoS]] = []
        if self._commands is not None:
            wildcards = connection.limits.wildcards_available
            commands = [COMMAND_FILTER] if wildcards else [command_channels(name).of_all.address for name in COMMANDS]
            filters += [(name, 1) for name in commands]
        filters += [(HOME_ASSISTANT_STATUS, 1)] if self._home_assistant else []
        filters += [(STATUS_TOPIC, 1)] if self._others is not None else []
        if filters:
            await self._subscriber.subscribe(connection, filters)

    async def _serve(self, connection: PublishingConnection) -> None:
        async with asyncio.TaskGroup() as tasks:
            working = [
                tasks.create_task(connection.wait_lost(), name="broker-connection"),
                tasks.create_task(self._publisher.publish_through(connection), name="broker-publish"),
            ]
            if self._on_first_connection is not None:
                working.append(tasks.create_task(self._handle_first_connection(), name="broker-first-connection"))
            if self._states is not None and not self._states.corrected and connection.limits.wildcards_available:
                working.append(tasks.create_task(self._states.correct(connection), name="broker-states"))
            if self._commands is not None:
                working.append(tasks.create_task(self._commands.serve(connection), name="broker-commands"))
            try:
                await self._stop_requested.wait()
                await self._publisher.drain(self._stop_by_s - self._times.farewell_s - time.monotonic())
            finally:
                await self._publish_offline(connection)
            for task in working:
                task.cancel()

    async def _handle_first_connection(self) -> None:
        if self._on_first_connection is not None:
            await self._on_first_connection()
            self._on_first_connection = None

    async def _publish_offline(self, connection: PublishingConnection) -> None:
        """Publish that the daemon is offline: DISCONNECT keeps the broker from publishing the will.

        Wait unless cancelled.
        """
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
        elif message.topic == STATUS_TOPIC:
            if self._others is not None:
                self._others.take(message.payload, retained=message.retain)
        elif self._states is not None and message.retain:
            self._states.take(message.topic, message.payload)

    def _publish_status(self) -> None:
        """Publish that the daemon is online, unless it is about to publish that it no longer is."""
        if not self._stop_requested.is_set():
            self._publisher.put(self._status())

    def _status(self, *, online: bool = True) -> OutgoingMessage:
        reason = "started" if online else "stopped"
        return status_message(
            DaemonStatus(online, HOST_CLOCK.now_s(), reason, self._version, self._instance, self._alarms)
        )

    async def _checkpoint(self) -> None:
        while True:
            await asyncio.sleep(self._times.checkpoint_every_s)
            await asyncio.to_thread(self._outbox.checkpoint)

    async def _retry_outbox(self) -> None:
        while True:
            await asyncio.sleep(self._times.outbox_retry_s)
            self._outbox.retry()
