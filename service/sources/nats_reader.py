"""Reads the messages of one subject of a JetStream stream, in order, each once, also when servers fail meanwhile."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final, NamedTuple

from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from service.base.backoff import Backoff
from service.base.logs import RepeatedFailure, get_logger
from service.sources.nats_connection import REQUEST_S, NatsProblemError, problems_of
from service.sources.nats_direct import RawMessage, direct_subscription
from stinger.units import NS_PER_S

BATCH: Final = 500
"""Largest number of messages requested at a time; the rest waits at the server."""
HEARTBEAT_S: Final = 0.7
"""Interval of the server's heartbeats to an idle consumer; when two are missing, another consumer is made."""
INACTIVE_S: Final = 5.0
"""Time without a reader after which the server deletes a consumer."""
STALE_S: Final = 3.0
"""Time without a delivery after which the reader asks for the newest message of the stream: a server that was restarted
may serve a consumer and not have the newest messages itself."""
LONGEST_RETRY_S: Final = 4.0
"""Servers of a cluster agree on every consumer that is made. Too many attempts would keep them from electing a
leader."""
_EXPIRES_S: Final = 30.0
_FIELDS: Final = 9
_LOG: Final = get_logger(__name__)


class StreamMessage(NamedTuple):
    """A message of a stream."""

    subject: str
    payload: bytes
    position: int
    """Its number in the stream, from 1."""
    stored_ns: int
    """Unix time at which the server stored it."""
    pending: int
    """How many messages of the subject followed it when it was sent."""
    read_ns: int
    """``time.monotonic_ns()`` when it arrived here."""


class StreamReader:
    """Reads the messages of ``subject``, which may have wildcards, in ``stream`` from position ``start`` on.

    ``None`` for ``start`` begins with the newest message of each subject. Messages are requested from the server as
    they are fetched by :meth:`batches`, so a slow reader holds up nobody. The consumer at the server is a temporary
    one; when its server is lost, another one continues after the last message that arrived.
    """

    def __init__(
        self,
        client: Client,
        stream: str,
        subject: str,
        *,
        start: int | None = None,
        batch: int = BATCH,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._client = client
        self._stream = stream
        self._subject = subject
        self._next = start
        self._batch = batch
        self._heartbeat_s = heartbeat_s
        self._failure = RepeatedFailure(_LOG, "stream_not_read")
        self._backoff = Backoff(longest_s=LONGEST_RETRY_S)
        self._arrived: deque[RawMessage] = deque()
        self._changed = asyncio.Event()
        self._consumer = ""
        self._delivered = 0
        self._requested = 0
        self._idle = False
        self._last = 0  # position of the newest message
        self._checked_s = 0.0

    async def batches(self) -> AsyncIterator[list[StreamMessage]]:
        """Yield the messages that have arrived; an empty list when there are none to read, at the beginning and later.

        Raises :class:`NatsProblemError` if the connection is closed.
        """
        inbox = self._client.new_inbox()
        first = True
        async with direct_subscription(self._client, inbox, self._take) as subscription:
            try:
                while True:
                    pending = await self._make_consumer()
                    if pending is None:
                        await asyncio.sleep(self._backoff.next_s())
                        continue
                    if first and pending == 0:
                        yield []
                    first = False
                    async for messages in self._read(inbox):
                        yield messages
                    await asyncio.sleep(self._backoff.next_s())
            finally:
                if not self._client.is_closed and not self._client.is_reconnecting:
                    with suppress(NatsProblemError):  # the connection was lost at this moment
                        async with problems_of("end of a subscription"):
                            await subscription.unsubscribe()

    def _take(self, message: RawMessage) -> None:
        self._arrived.append(message)
        self._changed.set()

    async def _make_consumer(self) -> int | None:
        """Make a consumer; return how many messages it has to deliver, ``None`` if that failed."""
        if self._client.is_closed:
            raise NatsProblemError("the connection is closed")
        config = ConsumerConfig(
            deliver_policy=DeliverPolicy.LAST_PER_SUBJECT if self._next is None else DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=self._next,
            ack_policy=AckPolicy.NONE,
            filter_subject=self._subject,
            inactive_threshold=INACTIVE_S,
            mem_storage=True,
            num_replicas=1,
        )
        try:
            async with problems_of(f"stream {self._stream}"):
                info = await self._client.jetstream(timeout=REQUEST_S).add_consumer(self._stream, config)
        except NatsProblemError as error:
            self._failure.log(str(error), subject=self._subject)
            return None
        self._arrived.clear()
        self._checked_s = time.monotonic()
        self._consumer, self._delivered, self._requested = info.name, 0, 0
        return info.num_pending or 0

    async def _read(self, inbox: str) -> AsyncIterator[list[StreamMessage]]:
        """Yield what the consumer delivers until it no longer does."""
        while True:
            if self._requested <= self._batch // 2 and not await self._request(inbox):
                return
            self._changed.clear()
            if not self._arrived:
                try:
                    async with asyncio.timeout(2.5 * self._heartbeat_s):
                        await self._changed.wait()
                except TimeoutError:
                    self._failure.log("the server does not deliver", subject=self._subject)
                    return
            self._idle = False
            messages, intact = self._fetch()
            if messages or self._idle:
                self._backoff.reset()
                self._failure.reset()
                yield messages
            if messages:
                self._last, self._checked_s = messages[-1].position, time.monotonic()
            elif self._idle and await self._is_stale():
                self._failure.log(
                    "the server delivers nothing, though the stream has newer messages", subject=self._subject
                )
                return
            if not intact:
                return

    async def _is_stale(self) -> bool:
        """Return whether the stream has a message that the consumer should have delivered.

        Ask at most every :data:`STALE_S`.
        """
        if time.monotonic() - self._checked_s < STALE_S:
            return False
        self._checked_s = time.monotonic()
        last = self._last
        try:
            async with problems_of(f"stream {self._stream}"):
                newest = await self._client.jetstream(timeout=REQUEST_S).get_last_msg(self._stream, self._subject)
        except NatsProblemError:
            return False
        wanted = max(last + 1, self._next or 0)
        return newest.seq is not None and newest.seq >= wanted and not self._arrived

    async def _request(self, inbox: str) -> bool:
        """Request messages; return False if that failed."""
        count = self._batch - self._requested
        wanted = {
            "batch": count,
            "expires": int(_EXPIRES_S * NS_PER_S),
            "idle_heartbeat": int(self._heartbeat_s * NS_PER_S),
        }
        try:
            async with problems_of("request"):
                await self._client.publish(
                    f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._consumer}", json.dumps(wanted).encode(), inbox
                )
        except NatsProblemError:
            return False
        self._requested += count
        return True

    def _fetch(self) -> tuple[list[StreamMessage], bool]:
        """Return what has arrived, and whether the consumer is intact."""
        read_ns = time.monotonic_ns()
        messages: list[StreamMessage] = []
        while self._arrived:
            message = self._arrived.popleft()
            fields = message.reply.split(".")
            if len(fields) < _FIELDS:  # a status instead of a message
                if not self._handle_status(message):
                    return messages, False
                continue
            consumer, _, position, delivered, stored_ns, pending = (
                fields[-6:] if len(fields) == _FIELDS else fields[5:11]
            )
            if consumer != self._consumer:
                continue  # of an earlier consumer
            if int(delivered) != self._delivered + 1:
                return messages, False
            self._delivered += 1
            self._requested -= 1
            if self._next is not None:
                self._next = int(position) + 1
            messages.append(
                StreamMessage(message.subject, message.payload, int(position), int(stored_ns), int(pending), read_ns)
            )
        return messages, True

    def _handle_status(self, message: RawMessage) -> bool:
        """Handle a status; return whether the consumer is intact."""
        match message.status:
            case "100":  # a heartbeat: there was nothing to deliver for a while
                self._idle = True
                return True
            case "404" | "408":  # a request expired before it was filled
                self._requested = 0
                return True
            case _:
                return False
