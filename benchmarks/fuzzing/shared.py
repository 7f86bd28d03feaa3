"""Decoders of what daemons share: leases and members in NATS, and the journal of uploads."""

from __future__ import annotations

from pathlib import Path

from benchmarks.fuzzing.decoder import JSON_TOKENS, Decoder
from service.recording.upload_journal import UploadJournal
from service.sources.nats_checkpoint import Boot, Checkpoint, LeaseRecord
from service.sources.nats_store import decode_member
from stinger.device_name import parse_device_name
from stinger.storage_url import parse_storage_url


def shared_decoders(folder: Path) -> list[Decoder]:
    """Return all of them. They use files in ``folder``."""
    b1 = parse_device_name("b1")
    lease = LeaseRecord(
        "daemon-1", 3, Checkpoint(100, 60, {b1: Boot(7, 1_700_000_000_000, 1_700_000_001_000)}, {b1: 90})
    )
    journal = b'{"url": "s3://a/b"}\n{"file": "b1/20260131T170203.456Z", "size": 170, "sidecar_ns": 5}\n'
    return [
        Decoder("lease of a partition", (lease.to_json(),), _lease, 3, JSON_TOKENS),
        Decoder("member of a group", (b'{"joined_ns": 5, "fit": true}',), _member, 1, JSON_TOKENS),
        Decoder("journal of uploads", (journal,), _Journal(folder).read, 2, JSON_TOKENS),
        Decoder("URLs of a storage", (b"s3://blasters/hall", b"file:///a/b"), _storage, 2, (b"//", b"@", b"..", b":")),
    ]


def _lease(data: bytes) -> None:
    record = LeaseRecord.from_json(data)
    assert LeaseRecord.from_json(record.to_json()) == record


def _member(data: bytes) -> None:
    decode_member("daemon-1", data)


class _Journal:
    def __init__(self, folder: Path) -> None:
        self._path = folder / "uploads.jsonl"

    def read(self, data: bytes) -> None:
        self._path.write_bytes(data)
        UploadJournal(self._path, parse_storage_url("s3://a/b")).find("x")


def _storage(data: bytes) -> None:
    parse_storage_url(data.decode(errors="replace"))
