"""Logs as power cuts and bad copies leave them.

What is lost beyond the damage itself, and what remains undetected. Run: python -m benchmarks.damaged_logs [NUMBER OF
FILES]. Takes about 1 ms a file.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable

import numpy as np

from models.synthetic import synthetic_blocks
from stinger.errors import FileError
from stinger.logs import parse_log
from stinger.sample import SAMPLE_BYTES, SampleArray

FILES: int = 10_000
SAMPLES = 1000

Damage = Callable[[bytes, np.random.Generator], tuple[bytes, int]]
"""Returns the damaged bytes, and the number of records that cannot have survived."""


def zero_tail(data: bytes, random: np.random.Generator) -> tuple[bytes, int]:
    keep = int(random.integers(SAMPLE_BYTES * 20, len(data)))
    return data[:keep] + bytes(int(random.integers(40, 8192))), SAMPLES - keep // SAMPLE_BYTES


def missing(data: bytes, random: np.random.Generator) -> tuple[bytes, int]:
    at, size = int(random.integers(0, len(data) - 600)), int(random.integers(1, 500))
    return data[:at] + data[at + size :], _records(at, size)


def added(data: bytes, random: np.random.Generator) -> tuple[bytes, int]:
    at, size = int(random.integers(0, len(data))), int(random.integers(1, 500))
    return data[:at] + random.bytes(size) + data[at:], 1


def zeroed(data: bytes, random: np.random.Generator) -> tuple[bytes, int]:
    at, size = int(random.integers(0, len(data) - 600)), int(random.integers(40, 500))
    return data[:at] + bytes(size) + data[at + size :], _records(at, size)


def flipped(data: bytes, random: np.random.Generator) -> tuple[bytes, int]:
    record, byte = int(random.integers(1, SAMPLES - 1)), int(random.choice([0, 1, 2, 3, 16]))
    at = record * SAMPLE_BYTES + byte
    return data[:at] + bytes([data[at] ^ int(random.integers(2, 256))]) + data[at + 1 :], 1


def _records(at: int, size: int) -> int:
    return (at + size - 1) // SAMPLE_BYTES - at // SAMPLE_BYTES + 1


KINDS: dict[str, Damage] = {
    "zeros at the end": zero_tail,
    "1 to 500 bytes missing": missing,
    "1 to 500 random bytes added": added,
    "40 to 500 bytes zeroed": zeroed,
    "a byte of a time or trigger changed": flipped,
}


def session() -> SampleArray:
    """Return 10 s of a synthetic session, without pauses."""
    return next(iter(synthetic_blocks(seed=3, block_samples=SAMPLES, still_pause=False)))


def main() -> None:
    files = int(sys.argv[1]) if len(sys.argv) > 1 else FILES
    random = np.random.default_rng(1)
    samples = session()
    known = {one.tobytes() for one in samples}
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for number in range(files):
        kind = list(KINDS)[number % len(KINDS)]
        data, lost = KINDS[kind](samples.tobytes(), random)
        count = counts[kind]
        count["files"] += 1
        try:
            log = parse_log(data, "log")
        except FileError:
            count["refused"] += 1
            continue
        wrong = sum(one.tobytes() not in known for one in log.samples)
        count["lost"] += max(0, SAMPLES - lost - (len(log.samples) - wrong))
        count["wrong"] += wrong
        count["boots"] += len(log.recordings) - 1
    columns = ("files", "refused", "lost", "wrong", "boots")
    print("Intact samples lost, samples with a wrong value that remained, and boots that did not exist:\n")
    print(f"{'damage':<38}" + "".join(f"{name:>9}" for name in columns))
    for kind, count in counts.items():
        print(f"{kind:<38}" + "".join(f"{count[name]:>9}" for name in columns))


if __name__ == "__main__":
    main()
