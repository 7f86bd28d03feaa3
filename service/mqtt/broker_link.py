"""The daemon's link to its broker: connects for ever, delivers what must arrive, says what is newest, hears commands."""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import time
from contextlib import suppress
from typing import Any

from service.base.backoff import Backoff
from service.base.states import DaemonStatus
from service.config.broker_address import BrokerAddress
from service.mqtt.channels import COMMAND_FILTER, HOME_ASSISTANT_STATUS
from service.mqtt.command_queue import CommandHandler, CommandQueue
from service.mqtt.connection import Client, Connection, MqttError, ProtocolVersion, connected_client
from service.mqtt.messages import OutgoingMessage, status_message
from service.mqtt.outbox import Outbox
from service.mqtt.publisher import AcknowledgedHandler, Publisher

logger = logging.getLogger(__name__)

_STABLE_S = 5.0
"""A connection that lasted so long makes the next pause a short one again, and its end worth a warning."""
_CHECKPOINT_EVERY_S = 60.0
_GIVE_UP_S = 0.6
"""What cancelling takes while a broker has not answered: the library waits half a second for its thread."""
_FAREWELL_S = 0.3
"""For saying ``offline`` to a broker that is well."""
_REFUSED = 0x80
"""From here on a code of the broker's answers says no."""


class BrokerLink:
    """Sends messages to the broker at ``address``, each as its :class:`DeliveryPolicy` says, from :meth:`run` on.

    ``on_command`` obeys commands, ``on_acknowledged`` learns how long the broker took. ``home_assistant`` says everything
    again when Home Assistant starts. All methods are for the event loop's thread.
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
    ) -> None:
        self._address = address
        self._outbox = outbox
        self._version = version
        self._desk = CommandQueue(on_command) if on_command is not None else None
        self._publisher = Publisher(outbox, on_acknowledged)
        self._home_assistant = home_assistant
        # The same for every connection, so that the broker ends the old one, and has said its will, before the new one.
        self._identifier = f"stinger-{secrets.token_hex(6)}"
        self._protocol = ProtocolVersion.V311 if address.embedded else ProtocolVersion.V5
        self._answered = address.embedded
        self._client: Client | None = None
        self._connections = 0
        self._connected_s = math.inf
        self._told = False
        self._alarm = ""
        self._stop = asyncio.Event()
        self._deadline = math.inf

    @property
    def connected(self) -> bool:
        """Whether the broker has let us in and the connection stands."""
        return self._client is not None

    @property
    def reconnects(self) -> int:
        """How many times the connection was made again after the first."""
        return max(0, self._connections - 1)

    @property
    def protocol(self) -> str:
        """The version of MQTT that is spoken, or tried next: ``5`` or ``3.1.1``."""
        return "5" if self._protocol is ProtocolVersion.V5 else "3.1.1"

    @property
    def depth(self) -> int:
        """How many messages of the outbox the broker has not acknowledged."""
        return self._outbox.depth

    @property
    def publisher(self) -> Publisher:
        """Takes the messages to publish; it keeps them while there is no connection."""
        return self._publisher

    def set_alarm(self, text: str) -> None:
        """Say ``text`` in the daemon's status from now on; an empty one ends the alarm."""
        if text != self._alarm:
            self._alarm = text
            self._publisher.put(self._status())

    async def run(self) -> None:
        """Hold the link until :meth:`stop` or cancelled. A broker that is not there is waited for, never an error."""
        async with asyncio.TaskGroup() as tasks:
            checkpointing = tasks.create_task(self._checkpoint(), name="outbox-checkpoint")
            holding = tasks.create_task(self._hold(), name="broker-connections")
            await self._stop.wait()
            # A connection that is just being made may still deliver, but giving it up takes a while; between two
            # attempts this ends at once.
            left_s = self._deadline - time.monotonic() - (0.0 if self.connected else _GIVE_UP_S)
            await asyncio.wait({holding}, timeout=max(0.0, left_s))
            holding.cancel()
            checkpointing.cancel()

    def stop(self, within_s: float) -> None:
        """Let :meth:`run` end within ``within_s`` or little more: what can be delivered is, the rest stays in the outbox."""
        self._deadline = time.monotonic() + within_s
        self._stop.set()

    async def _hold(self) -> None:
        backoff = Backoff()
        while not self._stop.is_set():
            self._connected_s = math.inf
            try:
                await self._session()
            except* (MqttError, OSError) as errors:
                if time.monotonic() - self._connected_s > _STABLE_S:
                    backoff.reset()
                    self._told = False
                self._tell(_innermost(errors))
            with suppress(TimeoutError):
                async with asyncio.timeout(backoff.next_s()):
                    await self._stop.wait()

    async def _session(self) -> None:
        """One connection, from its beginning to its end."""
        will = status_message(DaemonStatus(online=False, host_s=None, reason="lost", version=self._version))
        opening = connected_client(self._address, identifier=self._identifier, protocol=self._protocol, will=will)
        try:
            async with opening as connection:
                await self._begin(connection.client)
                try:
                    await self._serve(connection)
                finally:
                    self._client = None
        except (MqttError, TimeoutError):
            # An old broker refuses version 5 in one of many ways, so until one was answered both are tried in turn.
            if not self._answered:
                v5 = self._protocol is ProtocolVersion.V5
                self._protocol = ProtocolVersion.V311 if v5 else ProtocolVersion.V5
            raise

    async def _begin(self, client: Client) -> None:
        filters = [(COMMAND_FILTER, 1)] if self._desk is not None else []
        filters += [(HOME_ASSISTANT_STATUS, 1)] if self._home_assistant else []
        if filters:
            granted = await client.subscribe(filters)
            code: Any  # a number in MQTT 3.1.1, a reason code in 5
            for (name, _), code in zip(filters, granted, strict=False):
                if getattr(code, "value", code) >= _REFUSED:
                    logger.warning("subscription refused by the broker topic=%s", name)
        self._client = client
        self._connections += 1
        self._answered = True
        self._connected_s = time.monotonic()
        logger.info(
            "broker connected broker=%s mqtt=%s connections=%d", self._address, self.protocol, self._connections
        )
        self._publisher.announce()
        self._publisher.put(self._status())

    async def _serve(self, connection: Connection) -> None:
        client = connection.client
        async with asyncio.TaskGroup() as tasks:
            working = [
                tasks.create_task(self._hear(client), name="broker-hear"),
                tasks.create_task(self._publisher.publish_through(connection), name="broker-publish"),
            ]
            if self._desk is not None:
                working.append(tasks.create_task(self._desk.serve(client), name="broker-commands"))
            try:
                await self._stop.wait()
                await self._publisher.drain(self._deadline - _FAREWELL_S - time.monotonic())
            finally:
                # The broker is told even where we are cancelled: leaving in order, it would not speak our will.
                offline = self._status(online=False)
                cancelled = bool((task := asyncio.current_task()) and task.cancelling())
                with suppress(MqttError):
                    await client.publish(
                        offline.topic, offline.payload, 0 if cancelled else 1, offline.retain, timeout=_FAREWELL_S
                    )
            for task in working:
                task.cancel()

    async def _hear(self, client: Client) -> None:
        async for message in client.messages:
            topic = message.topic.value
            if topic == HOME_ASSISTANT_STATUS:
                if message.payload == b"online":
                    self._publisher.announce()
            elif self._desk is not None and message.topic.matches(COMMAND_FILTER):
                self._desk.submit(message)

    def _status(self, *, online: bool = True) -> OutgoingMessage:
        reason = "started" if online else "stopped"
        return status_message(DaemonStatus(online, time.time(), reason, self._version, self._alarm))

    async def _checkpoint(self) -> None:
        while True:
            await asyncio.sleep(_CHECKPOINT_EVERY_S)
            await asyncio.to_thread(self._outbox.checkpoint)

    def _tell(self, error: BaseException) -> None:
        told = logging.DEBUG if self._told else logging.WARNING
        logger.log(told, "broker not connected broker=%s reason=%s", self._address, str(error) or type(error).__name__)
        self._told = True


def _innermost(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    first: BaseException = errors
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
