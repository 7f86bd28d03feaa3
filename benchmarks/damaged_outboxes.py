"""Outbox files that are damaged in many ways.

Each must open, keep new messages, and yield only what can be published. Run: python -m benchmarks.damaged_outboxes
[NUMBER OF FILES [SEED]]. Takes about 30 ms a file.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.outbox_damage import KINDS, MESSAGES, sound_outbox
from service.mqtt.channels import DeliveryPolicy
from service.mqtt.messages import OutgoingMessage
from service.mqtt.outbox import Outbox
from service.mqtt.publishable import message_problem

FILES = 1000
SEED = 1


def check(path: Path) -> Counter[str]:
    """Open the outbox at ``path``, use it and open it again; return what was found. Raises ``AssertionError``."""
    problems: list[str] = []
    new = OutgoingMessage("stinger/b1/shot", b"new", 1, retain=False, delivery=DeliveryPolicy.EVERY)
    with Outbox(path, on_problem=problems.append) as outbox:
        found = Counter(
            files=1,
            set_aside_files=outbox.set_aside_files,
            set_aside_messages=outbox.set_aside_messages,
            kept=outbox.depth,
        )
        assert bool(problems) == bool(outbox.set_aside_files), problems
        outbox.put(new)
        before = outbox.depth
        while (entry := outbox.take()) is not None:
            assert not message_problem(entry.message.topic, entry.message.payload), entry
        outbox.requeue()
    with Outbox(path) as outbox:
        assert (outbox.depth, outbox.set_aside_files, outbox.unwritten) == (before, 0, 0)
        numbers = []
        while (entry := outbox.take()) is not None:
            numbers.append(entry.number)
            last = entry.message
        assert last == new
        assert numbers == sorted(set(numbers))
        for number in numbers:
            outbox.acknowledge(number)
    with Outbox(path) as outbox:
        assert outbox.depth == 0
    return found


def try_one(folder: Path, kind: str, seed: int) -> Counter[str]:
    """Damage an outbox below ``folder`` and check that it can be used. Raises ``AssertionError`` with kind and seed."""
    path = folder / f"{KINDS[kind].__name__}-{seed}" / "outbox.sqlite3"
    sound_outbox(path)
    survivors = KINDS[kind](path, random.Random(seed))
    try:
        found = check(path)
        assert found["kept"] >= survivors, f"{found['kept']} of {survivors} messages kept"
    except Exception as error:
        raise AssertionError(f"{kind}, seed {seed}: {error!r}") from error
    return found


def main() -> None:
    files, seed = ([int(argument) for argument in sys.argv[1:]] + [FILES, SEED][len(sys.argv) - 1 :])[:2]
    totals: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    failures: list[str] = []
    began_s = time.monotonic()
    for number in range(files):
        kind = list(KINDS)[number % len(KINDS)]
        with tempfile.TemporaryDirectory() as folder:
            try:
                totals[kind] += try_one(Path(folder), kind, seed + number)
            except AssertionError as error:
                failures.append(str(error))
        if (number + 1) % 100 == 0:
            print(f"{number + 1} of {files} files, {time.monotonic() - began_s:.0f} s", file=sys.stderr)
    print(f"seed {seed}, {MESSAGES} messages in each file")
    print(f"{'damage':32}{'files':>7}{'opened':>8}{'set aside':>11}{'messages kept':>15}{'set aside':>11}")
    for number, (kind, total) in enumerate(totals.items()):
        tried = len(range(number, files, len(KINDS)))
        columns = f"{tried:7}{total['files']:8}{total['set_aside_files']:11}"
        print(f"{kind:32}{columns}{total['kept']:15}{total['set_aside_messages']:11}")
    print("\n".join(failures) or "Every file could be used.")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
