"""Publishes events from the outbox, the newest of each state, and live messages.

It decides which of them is next.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from functools import partial
from typing import Final

from service.config.topic_root import TopicRoot
from service.mqtt.admission import Admission, admit_all
from service.mqtt.broker_state import ACKNOWLEDGE_S
from service.mqtt.channels import DeliveryPolicy
from service.mqtt.connection import IN_FLIGHT, PublishingConnection, Refusal
from service.mqtt.errors import MqttError
from service.mqtt.in_flight import InFlight
from service.mqtt.latest_states import LatestStates
from service.mqtt.message_problems import MessageProblems
from service.mqtt.messages import OutgoingMessage
from service.mqtt.outbox import Outbox
from service.mqtt.outbox_mirror import Entry
from service.mqtt.pace import Pace
from service.mqtt.reason_codes import TEMPORARY
from service.mqtt.suspects import Key, Suspects
from stinger.units import NS_PER_S

AcknowledgedHandler = Callable[[float], None]
"""Takes the seconds from :meth:`Outbox.put` to the broker's acknowledgement."""

_CHECKS_PER_LIMIT: Final = 4
_LIVE_MESSAGES: Final = 1000
_STATES_IN_FLIGHT: Final = 4
"""Events leave so much room for states: a long backlog of events must not delay them."""
_OTHERS_IN_FLIGHT: Final = 2
"""The answer to a command and the last status, which are not published here."""
_ATTEMPTS: Final = 5
"""How often an event is sent that the broker refuses for a reason that may pass."""
_UNACKNOWLEDGED: Final = "the connection ends or stays unacknowledged whenever it is sent"
_UNCONFIRMED_TOPICS: Final = 16
"""Topics of the newest messages at QoS 0 that are remembered: the broker may end the connection because of one."""


class Publisher:
    """Takes messages at any time and publishes them by their delivery policies.

    It does so through one connection after another. A broker that leaves a message unacknowledged for ``acknowledge_s``
    seconds is given up. (Whether it is alive at all, its answers to pings show sooner.) An event that the broker
    refuses, or that is too long for it, is set aside in the outbox, and a state is dropped; :attr:`problems` counts
    them. If the refusal may pass, the connection is given up instead, and the event sent again, five times at most.
    ``admit`` is asked immediately before each message is sent.

    After :meth:`suspect_unanswered`, messages are sent one at a time, those at QoS 0 at QoS 1, until it is known which
    one the broker does not take: see :class:`~service.mqtt.suspects.Suspects`.
    """

    def __init__(
        self,
        outbox: Outbox,
        on_acknowledged: AcknowledgedHandler | None = None,
        *,
        acknowledge_s: float = ACKNOWLEDGE_S,
        admit: Admission = admit_all,
        root: TopicRoot | None = None,
    ) -> None:
        self._outbox = outbox
        self._admit = admit
        self._on_acknowledged = on_acknowledged
        self._acknowledge_s = acknowledge_s
        self.problems = MessageProblems(root or TopicRoot())
        """The messages that the broker did not take."""
        self._attempts: dict[int, int] = {}  # of events that the broker refused, by their numbers
        self._refused_for_now = ""
        self._latest = LatestStates()
        self._live: deque[OutgoingMessage] = deque(maxlen=_LIVE_MESSAGES)
        self._max_in_flight = IN_FLIGHT
        self._connection: PublishingConnection | None = None
        self._pace = Pace(None, self.wake)
        self._suspects = Suspects()
        self._unanswered: frozenset[Key] = frozenset()  # when the last connection was lost
        self._unconfirmed: deque[str] = deque(maxlen=_UNCONFIRMED_TOPICS)
        self._in_flight = InFlight()
        self._turn = 0
        self._delivered_s = 0.0
        self._wake = asyncio.Event()
        self._progress = asyncio.Event()

    def put(self, message: OutgoingMessage) -> None:
        """Publish ``message``, now or as soon as there is a connection, by its delivery policy. Returns at once."""
        self._latest.put(message)
        if message.delivery is DeliveryPolicy.EVERY:
            self._outbox.put(message)
        elif message.delivery is DeliveryPolicy.LIVE and self._connection is not None:
            self._live.append(message)
        self._publish_waiting()

    def together(self) -> AbstractContextManager[None]:
        """Return a short context for several calls of :meth:`put`, whose messages then cost less."""
        return nullcontext() if self._connection is None else self._connection.together()

    def withdraw(self, topics: Iterable[str]) -> None:
        """Do not publish the states of ``topics`` that wait, or that the broker retains, again: they are another's now."""
        self._latest.withdraw(topics)

    def has_retained(self, topic: str) -> bool:
        """Return whether a message for ``topic`` that the broker retains was put."""
        return self._latest.has_retained(topic)

    def announce(self) -> None:
        """Publish everything retained again, except the topics that the outbox is about to publish anyway."""
        self._latest.repeat_retained(without=self._outbox.topics())
        self._publish_waiting()

    def wake(self) -> None:
        """Continue to publish: the connection takes data again."""
        self._wake.set()

    def suspect_unanswered(self) -> None:
        """Find out because of which of the messages in flight the broker has ended the last connection."""
        self._suspects.connection_ended(self._unanswered)

    def connection_lasts(self) -> None:
        """Note that the broker has not ended the connection because of what was sent."""
        self._suspects.connection_lasts()
        self.wake()

    async def publish_through(self, connection: PublishingConnection) -> None:
        """Publish through ``connection`` until cancelled; then requeue what is in flight.

        Raises :class:`MqttError` if the broker does not acknowledge in time, or refuses an event for now.
        """
        self._pace = Pace(connection.limits.messages_per_s, self.wake)
        self._max_in_flight = max(1, min(IN_FLIGHT, connection.limits.receive_maximum - _OTHERS_IN_FLIGHT))
        self._refused_for_now = ""
        self._unanswered = frozenset()
        self._unconfirmed.clear()
        self._turn += 1
        self._connection = connection
        try:
            while True:
                self._publish_waiting()
                self._wake.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._acknowledge_s / _CHECKS_PER_LIMIT):
                        await self._wake.wait()
                if self._refused_for_now:
                    raise MqttError(f"the broker refuses a message for now: {self._refused_for_now}")
                self._check_acknowledgements()
        finally:
            self._connection = None
            self._pace.close()
            self._unanswered = frozenset(self._in_flight.keys.union(self._unconfirmed))
            self._live.clear()
            self._in_flight.clear()
            self._outbox.requeue()

    async def drain(self, within_s: float) -> None:
        """Wait until everything is delivered, at most ``within_s``."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._outbox.depth or self._latest or self._in_flight.states:
                    self._progress.clear()
                    await self._progress.wait()

    def _publish_waiting(self) -> None:
        connection = self._connection
        if connection is None:
            return
        # If the connection turns out to be lost, its owner is about to learn so, and everything taken here is requeued.
        with suppress(MqttError):
            if self._suspects.open:
                self._publish_alone(connection)
                return
            max_events = max(1, self._max_in_flight - _STATES_IN_FLIGHT)
            while self._in_flight.events < max_events and self._may_send(connection):
                entry = self._outbox.take()
                if entry is None:
                    break
                self._send_event(connection, entry)
            while self._latest and self._may_send(connection):
                self._send_state(connection, self._latest.take())
            while self._live and not connection.congested and self._pace.is_due:
                self._send_live(connection, self._live.popleft())

    def _publish_alone(self, connection: PublishingConnection) -> None:
        """Publish one message, if the broker has acknowledged the one before it."""
        while self._live:  # it is of no use later, unless to find out whether the broker takes it
            message = self._live.popleft()
            if message.topic in self._suspects.open:
                self._latest.send_once(message)
        while not self._in_flight and self._may_send(connection):
            suspected = [topic for topic in self._latest.topics if topic in self._suspects.open]
            others = next((topic for topic in self._latest.topics if topic not in self._suspects.open), None)
            # Of those that may be the cause, another one is first on each connection.
            entry = None if others or (suspected and self._turn % 2) else self._outbox.take()
            if entry is not None:
                self._send_event(connection, entry)
            elif others or suspected:
                message = self._latest.take(others or suspected[self._turn % len(suspected)])
                self._send_state(connection, replace(message, qos=1))
            else:
                break

    def _may_send(self, connection: PublishingConnection) -> bool:
        return self._pace.is_due and not connection.congested and len(self._in_flight) < self._max_in_flight

    def _send_event(self, connection: PublishingConnection, entry: Entry) -> None:
        admitted = self._admit(entry.message, entry.put_ns)
        if admitted is None:
            self._outbox.acknowledge(entry.number)
            self._progress.set()
            return
        self._in_flight.add_event(entry.number)
        if self._suspects.is_cause(entry.number):
            self.problems.add_refused(entry.message.topic, _UNACKNOWLEDGED)
            self._set_aside(entry, _UNACKNOWLEDGED)
            return
        self._pace.count()
        try:
            connection.publish(admitted, partial(self._event_acknowledged, entry), partial(self._event_refused, entry))
        except ValueError as error:
            self.problems.add_unsent(entry.message.topic, error)
            self._set_aside(entry, str(error))

    def _send_state(self, connection: PublishingConnection, message: OutgoingMessage) -> None:
        admitted = self._admit(message, time.monotonic_ns())
        if admitted is None:
            self._progress.set()
            return
        if self._suspects.is_cause(message.topic):
            self.problems.add_refused(message.topic, _UNACKNOWLEDGED)
            return
        number = self._in_flight.add_state(message.topic)
        self._pace.count()
        if not message.qos:
            self._unconfirmed.append(message.topic)
        try:
            connection.publish(
                admitted, partial(self._state_acknowledged, number), partial(self._state_refused, number, message.topic)
            )
        except ValueError as error:
            self.problems.add_unsent(message.topic, error)
            self._state_acknowledged(number, sent=False)

    def _send_live(self, connection: PublishingConnection, message: OutgoingMessage) -> None:
        if self._suspects.is_cause(message.topic):
            self.problems.add_refused(message.topic, _UNACKNOWLEDGED)
            return
        admitted = self._admit(message, time.monotonic_ns())
        if admitted is None:
            return
        self._pace.count()
        self._unconfirmed.append(message.topic)
        try:
            connection.publish(admitted)
        except ValueError as error:
            self.problems.add_unsent(message.topic, error)

    def _event_acknowledged(self, entry: Entry) -> None:
        # An event of an earlier connection has been requeued and is sent again.
        if not self._in_flight.remove_event(entry.number):
            return
        self._attempts.pop(entry.number, None)
        self._delivered(entry.number)
        self._outbox.acknowledge(entry.number)
        if entry.put_ns is not None and self._on_acknowledged is not None:
            self._on_acknowledged((time.monotonic_ns() - entry.put_ns) / NS_PER_S)
        self._continue()

    def _event_refused(self, entry: Entry, refusal: Refusal) -> None:
        if not self._in_flight.has_event(entry.number):
            return
        self.problems.add_refused(entry.message.topic, refusal.reason)
        attempts = self._attempts[entry.number] = self._attempts.get(entry.number, 0) + 1
        if refusal.code in TEMPORARY and attempts < _ATTEMPTS:
            self._refused_for_now = refusal.reason
            self._wake.set()
        else:
            self._set_aside(entry, f"refused by the broker: {refusal.reason}")

    def _set_aside(self, entry: Entry, reason: str) -> None:
        self._attempts.pop(entry.number, None)
        self._suspects.set_aside(entry.number)
        self._in_flight.remove_event(entry.number)
        self._outbox.set_aside(entry.number, reason)
        self._continue()

    def _state_refused(self, number: int, topic: str, refusal: Refusal) -> None:
        self.problems.add_refused(topic, refusal.reason)
        self._state_acknowledged(number)

    def _state_acknowledged(self, number: int, *, sent: bool = True) -> None:
        topic = self._in_flight.remove_state(number)
        if topic and sent and topic not in self._unconfirmed:
            self._delivered(topic)
        self._continue()

    def _delivered(self, key: Key) -> None:
        self._delivered_s = time.monotonic()
        self._suspects.delivered(key)

    def _continue(self) -> None:
        # The task publishes the next ones, once for all the acknowledgements that were read together.
        if self._latest or self._outbox.depth:
            self._wake.set()
        self._progress.set()

    def _check_acknowledgements(self) -> None:
        overdue = self._in_flight.older_than(self._acknowledge_s)
        for key, sent_s in overdue.items():
            if sent_s < self._delivered_s:  # it acknowledges others
                self._suspects.count_ending(key)
        if overdue:
            raise MqttError(f"no acknowledgement within {self._acknowledge_s:g} s")
