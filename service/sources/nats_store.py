"""Where a group keeps its leases and its members: two buckets of JetStream's key-value store."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import nats.js.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import KeyValueConfig, RetentionPolicy, StorageType, StreamConfig
from nats.js.kv import KeyValue

from service.base.logs import get_logger
from service.config.source_url import NatsUrl
from service.sources.nats_checkpoint import LeaseRecord
from service.sources.nats_connection import REQUEST_S, problems_of
from service.sources.nats_leases import Member
from service.sources.nats_reader import StreamMessage, StreamReader
from stinger.errors import InputError, ProtocolError

MEMBER_KEPT_S: Final = 10.0
"""Time without an announcement after which the server deletes the entry of a member."""
STREAM_KEPT_S: Final = 3600.0
"""How long a stream that the daemon creates keeps its messages."""
SAMPLES_LEVELS: Final = "stinger.*.samples"
SETUP_S: Final = 10.0
"""How long making a stream and buckets may take: servers of a cluster agree on it first."""
HISTORY: Final = 8
"""Number of revisions kept of each lease, among which to find the write of a rival."""
_GROUP_KEY: Final = "group"
_LEASE_KEY: Final = "lease."
_LOG: Final = get_logger(__name__)


class ConflictError(Exception):
    """A lease was not written, as another revision of it is newer."""


class GroupStore:
    """The buckets ``stinger-<group>`` and ``stinger-<group>-members``, made by :meth:`open`.

    Methods raise :class:`~service.sources.nats_connection.NatsProblemError` if the servers do not answer or refuse;
    then a write may have succeeded all the same.
    """

    def __init__(self, client: Client, url: NatsUrl, prefix: str, leases: KeyValue, members: KeyValue) -> None:
        self._client = client
        self._url = url
        self._prefix = prefix
        self._leases = leases
        self._members = members
        self._written: dict[int, tuple[bytes, LeaseRecord]] = {}  # the last record of each partition, with its text

    @classmethod
    async def open(cls, client: Client, url: NatsUrl) -> GroupStore:
        """Make the stream and the buckets that are missing, and check that they fit ``url``.

        Raises :class:`InputError` for a stream without partitions, and if the group already uses another number of
        partitions.
        """
        stream = client.jetstream(timeout=SETUP_S)
        async with problems_of(f"stream {url.stream}", within_s=SETUP_S):
            prefix = await _prefix_of(stream, url)
        async with problems_of(f"group {url.group}", within_s=SETUP_S):
            leases = await _bucket(stream, f"stinger-{url.group}", url.replicas, StorageType.FILE, None)
            members = await _bucket(
                stream, f"stinger-{url.group}-members", url.replicas, StorageType.MEMORY, MEMBER_KEPT_S
            )
            await _agree(leases, url)
            await _check_partitions(stream, url, prefix)
        quick = client.jetstream(timeout=REQUEST_S)
        async with problems_of(f"group {url.group}", within_s=SETUP_S):
            leases, members = (
                await quick.key_value(f"stinger-{url.group}"),
                await quick.key_value(f"stinger-{url.group}-members"),
            )
        return cls(client, url, prefix, leases, members)

    def samples(self, partition: int, start: int) -> StreamReader:
        """Return a reader of the samples of ``partition`` from position ``start`` on."""
        return StreamReader(self._client, self._url.stream, f"{self._prefix}.{partition}.{SAMPLES_LEVELS}", start=start)

    async def write_lease(self, partition: int, record: LeaseRecord, expected: int) -> int:
        """Write a lease whose newest revision is ``expected``; return the new one. Raises :class:`ConflictError`."""
        text = record.to_json()
        self._written[partition] = text, record
        async with problems_of(f"lease of partition {partition}"):
            try:
                return await self._leases.update(f"{_LEASE_KEY}{partition}", text, last=expected)
            except nats.js.errors.KeyWrongLastSequenceError as error:
                raise ConflictError from error

    async def take_lease(self, partition: int, record: LeaseRecord, expected: int) -> int:
        """Write a lease of another owner; return its newest revision. Raises :class:`ConflictError`.

        In a cluster, servers before 2.10 may accept two writes that expect the same revision, if both arrive before
        either is applied. So a second write follows, which a server can only accept after the first was applied, and so
        after any such rival; then the history must show nothing but these two writes.
        """
        first = await self.write_lease(partition, record, expected)
        second = await self.write_lease(partition, record, first)
        if [await self._next(partition, expected), await self._next(partition, first)] != [first, second]:
            raise ConflictError
        return second

    async def announce(self, member: Member) -> None:
        """Announce that ``member`` is present."""
        content = {"joined_ns": member.joined_ns, "fit": member.fit}
        async with problems_of("announcement"):
            await self._members.put(member.name, json.dumps(content).encode())

    async def withdraw(self, member: Member) -> None:
        """Announce that ``member`` leaves."""
        async with problems_of("announcement"):
            await self._members.put(member.name, b"{}")

    async def leases(self, known: Callable[[int], int]) -> AsyncIterator[list[tuple[int, int, LeaseRecord]]]:
        """Yield partition, revision and content of all leases, then of each one written.

        The first list is empty if none exists. Those up to the revision that ``known`` returns for a partition are left
        out, such as what this daemon has written.
        """
        async for messages in self._watch(f"stinger-{self._url.group}", f"{_LEASE_KEY}*"):
            found = []
            for message in messages:
                try:
                    number = int(message.subject.rpartition(".")[2])
                    if message.position > known(number):
                        text, own = self._written.get(number, (None, None))
                        record = own if own is not None and text == message.payload else None
                        found.append((number, message.position, record or LeaseRecord.from_json(message.payload)))
                except (ValueError, ProtocolError) as error:
                    _LOG.warning("lease_ignored", subject=message.subject, reason=error)
            yield found

    async def members(self) -> AsyncIterator[list[tuple[str, Member | None]]]:
        """Yield the members that announce themselves, by name; ``None`` for one that leaves."""
        async for messages in self._watch(f"stinger-{self._url.group}-members", "*"):
            yield [
                (name := message.subject.rpartition(".")[2], decode_member(name, message.payload))
                for message in messages
            ]

    async def _next(self, partition: int, revision: int) -> int:
        """Return the revision of a lease that followed ``revision``."""
        bucket = f"stinger-{self._url.group}"
        subject = f"$KV.{bucket}.{_LEASE_KEY}{partition}"
        stream = self._client.jetstream(timeout=REQUEST_S)
        async with problems_of(f"lease of partition {partition}"):
            message = await stream.get_msg(f"KV_{bucket}", seq=revision + 1, subject=subject, next=True)
        return message.seq or 0

    def _watch(self, bucket: str, keys: str) -> AsyncIterator[list[StreamMessage]]:
        return StreamReader(self._client, f"KV_{bucket}", f"$KV.{bucket}.{keys}").batches()


def decode_member(name: str, payload: bytes) -> Member | None:
    """Return the member ``name`` of a group from its entry; ``None`` for one that has left or has no valid entry."""
    try:
        content = json.loads(payload)
        return Member(int(content["joined_ns"]), name, bool(content["fit"]))
    except (ValueError, OverflowError, KeyError, TypeError, RecursionError):
        return None


async def _prefix_of(stream: JetStreamContext, url: NatsUrl) -> str:
    """Return the first level of the stream's subjects; make the stream if there is none."""
    try:
        config = (await stream.stream_info(url.stream)).config
    except nats.js.errors.NotFoundError:
        config = StreamConfig(
            name=url.stream,
            subjects=[f"{url.group}.*.{SAMPLES_LEVELS}"],
            retention=RetentionPolicy.LIMITS,
            max_age=STREAM_KEPT_S,
            storage=StorageType.FILE,
            num_replicas=url.replicas,
        )
        await stream.add_stream(config)
        _LOG.warning("stream_created", stream=url.stream, subjects=config.subjects, keeps_s=STREAM_KEPT_S)
    for subject in config.subjects or []:
        prefix, _, rest = subject.partition(".")
        if rest == f"*.{SAMPLES_LEVELS}":
            return prefix
    raise InputError(
        f"source '{url}': stream {url.stream} has no partitions: expected a subject such as "
        f"{url.group}.*.{SAMPLES_LEVELS}, not {', '.join(config.subjects or ['none'])}"
    )


async def _bucket(
    stream: JetStreamContext, bucket: str, replicas: int, storage: StorageType, ttl_s: float | None
) -> KeyValue:
    try:
        return await stream.key_value(bucket)
    except nats.js.errors.BucketNotFoundError:
        return await stream.create_key_value(
            KeyValueConfig(bucket=bucket, history=HISTORY, replicas=replicas, storage=storage, ttl=ttl_s)
        )


async def _agree(leases: KeyValue, url: NatsUrl) -> None:
    """Keep stream and number of partitions for the group, or check that they are the same as before."""
    wanted = {"stream": url.stream, "partitions": url.partitions}
    try:
        await leases.create(_GROUP_KEY, json.dumps(wanted).encode())
    except nats.js.errors.KeyWrongLastSequenceError:
        kept = _agreed((await leases.get(_GROUP_KEY)).value or b"")
        for name, value in wanted.items():
            if kept.get(name) != value:
                raise InputError(
                    f"source '{url}': group {url.group} has {name} = {kept.get(name)}, not {value}: give all its daemons "
                    "the same, or choose another group"
                ) from None


def _agreed(payload: bytes) -> dict[str, Any]:
    """Return what the group has agreed on; nothing if its entry is damaged."""
    try:
        kept = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) else {}


async def _check_partitions(stream: JetStreamContext, url: NatsUrl, prefix: str) -> None:
    """Raise :class:`InputError` if the servers use more partitions than ``url`` has, which nobody would read."""
    try:
        await stream.get_last_msg(url.stream, f"{prefix}.{url.partitions}.{SAMPLES_LEVELS}")
    except nats.js.errors.NotFoundError:
        return
    raise InputError(
        f"source '{url}': the servers use more than {url.partitions} partitions: give the number in their mapping, "
        f"partition(NUMBER,1), as partitions=NUMBER"
    )
