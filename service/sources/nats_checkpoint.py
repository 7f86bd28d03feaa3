"""How far a partition has been processed: the content of its lease, from which its next reader continues."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from models.threshold import Threshold, parse_threshold
from stinger.device_name import DeviceName, parse_device_name
from stinger.errors import InputError, ProtocolError

_JSON: Final = json.JSONEncoder(separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Boot:
    """The boot of a device that was the newest one when the checkpoint was made."""

    position: int
    """Position of the message with the first samples of the boot."""
    zero_ms: int
    """Unix time in ms at which the device's clock was 0: the same for every daemon, as ids of events are made from
    it."""
    seen_ms: int
    """Unix time in ms at which the server stored the device's newest message."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything up to ``position`` was recorded, and its events are in the outbox of the daemon that processed it."""

    position: int = 0
    warm_up_from: int = 1
    """Position from which to read again, to bring windows, envelopes and wheels into the state that they had."""
    boots: Mapping[DeviceName, Boot] = field(default_factory=dict)
    spinning: Mapping[DeviceName, int] = field(default_factory=dict)
    """Devices whose wheels are on, and the position at which they went on."""
    thresholds: Mapping[DeviceName, Threshold] = field(default_factory=dict)
    """Thresholds that were set for single devices."""


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """The content of a lease."""

    owner: str
    """Name of the member that holds it; empty if it is free."""
    epoch: int
    """Number of times that the lease has been taken."""
    checkpoint: Checkpoint

    def to_json(self) -> bytes:
        """Return the record as JSON; :meth:`from_json` is the inverse."""
        kept = self.checkpoint
        content = {
            "owner": self.owner,
            "epoch": self.epoch,
            "position": kept.position,
            "warm_up_from": kept.warm_up_from,
            "boots": {name: [boot.position, boot.zero_ms, boot.seen_ms] for name, boot in kept.boots.items()},
            "spinning": kept.spinning,
            "thresholds": kept.thresholds,
        }
        return _JSON.encode(content).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Return the record in ``text``. Raises :class:`ProtocolError` for anything else."""
        try:
            content: Any = json.loads(text)
            boots = {parse_device_name(name): Boot(*map(int, values)) for name, values in content["boots"].items()}
            spinning = {parse_device_name(name): int(position) for name, position in content["spinning"].items()}
            # Daemons of earlier versions in the same group write none.
            thresholds = {
                parse_device_name(name): parse_threshold(value) for name, value in content.get("thresholds", {}).items()
            }
            kept = Checkpoint(int(content["position"]), int(content["warm_up_from"]), boots, spinning, thresholds)
            return cls(str(content["owner"]), int(content["epoch"]), kept)
        except (ValueError, OverflowError, KeyError, TypeError, AttributeError, RecursionError, InputError) as error:
            raise ProtocolError(f"not a lease: {error!r}") from error
