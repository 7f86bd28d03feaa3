"""``stinger run`` that writes what it does, beside everything else, to the file named by the environment variable JOURNAL.

One JSON object a line, written at once, so that nothing is missing after a kill. ``t`` is ``time.monotonic_ns()``,
which all processes of a machine share. Kinds: ``score`` (samples ``first_ms`` to ``last_ms`` of a device, of which
``unscored`` have no score), ``event`` (detected), ``sent`` (admitted to the broker), ``lease`` (a write of a lease that
succeeded).

Run: JOURNAL=journal.jsonl python tests/helpers/journaling_daemon.py run --source 'nats://...'
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    # A script finds modules beside itself, not those of its checkout.
    sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import numpy.typing as npt

from service.base.events import Event
from service.base.sink import Sink
from service.base.source import Block
from service.base.states import Stamps
from service.config.config import Config
from service.daemon.daemon import Daemon
from service.daemon.fence import Fence
from service.daemon.parts import Wrappers
from service.mqtt.channels import DeliveryPolicy
from service.mqtt.messages import OutgoingMessage
from service.ops.systemd import Notifier
from service.sources.nats_lease_keeper import LeaseKeeper, LeaseWrite

Note = Callable[..., None]


class JournalingSink(Sink):
    """Passes everything on to ``inner``, and notes scores and events."""

    def __init__(self, inner: Sink, note: Note) -> None:
        self._inner = inner
        self._note = note
        for name in ("on_device", "on_forget", "on_release", "on_model", "on_link", "on_gap", "on_model_run"):
            setattr(self, name, getattr(inner, name))

    def on_event(self, event: Event, stamps: Stamps | None) -> None:
        self._note("event", id=event.id, device=event.device, type=type(event).__name__, device_ms=event.device_ms)
        self._inner.on_event(event, stamps)

    def on_scores(self, block: Block, probability: npt.NDArray[np.float32], stamps: Stamps) -> None:
        times = block.samples["timestamp_ms"]
        unscored = int(np.count_nonzero(np.isnan(probability)))
        last = float(probability[-1])
        self._note(
            "score",
            device=block.device,
            first_ms=int(times[0]),
            last_ms=int(times[-1]),
            unscored=unscored,
            last=None if last != last else last,  # noqa: PLR0124 - NaN
        )
        self._inner.on_scores(block, probability, stamps)


def journal(path: str) -> Note:
    """Return a function that appends a line to the file ``path``."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(kind: str, **values: Any) -> None:
        os.write(
            handle, json.dumps({"kind": kind, "t": time.monotonic_ns(), "pid": os.getpid(), **values}).encode() + b"\n"
        )

    return note


def note_leases_and_messages(note: Note) -> None:
    """Note every lease that is written, and every event that is admitted to the broker."""
    succeeded, admit = LeaseKeeper.succeeded, Fence.admit

    def note_lease(self: LeaseKeeper, write: LeaseWrite, revision: int, now_s: float) -> None:
        succeeded(self, write, revision, now_s)
        valid = self.is_valid(write.partition, now_s)
        note(
            "lease",
            partition=write.partition,
            action=write.action.value,
            epoch=write.epoch,
            sent_s=write.sent_s,
            valid=valid,
        )

    def note_message(self: Fence, message: OutgoingMessage, put_ns: int | None) -> OutgoingMessage | None:
        admitted = admit(self, message, put_ns)
        if admitted is not None and message.delivery is DeliveryPolicy.EVERY:
            note("sent", topic=message.topic, id=json.loads(message.payload)["id"], retain=admitted.retain)
        return admitted

    LeaseKeeper.succeeded = note_lease  # type: ignore[method-assign]
    Fence.admit = note_message  # type: ignore[method-assign]


def open_journaling(
    config: Config, *, note: Note, notifier: Notifier | None = None
) -> AbstractAsyncContextManager[Daemon]:
    """Open a daemon that journals: stands for ``Daemon.open``."""
    return Daemon.open(
        config, notifier=notifier, wrappers=Wrappers(mqtt_sink=lambda inner: JournalingSink(inner, note))
    )


if __name__ == "__main__":
    from stinger.cli import main

    noted = journal(os.environ["JOURNAL"])
    note_leases_and_messages(noted)
    main(obj=partial(open_journaling, note=noted))
