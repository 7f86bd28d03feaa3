"""The same samples in two recordings: how much of a copy is found, false alarms, and the time for ten hours.

Run: python -m benchmarks.same_samples [LOG ...]. Uses synthetic sessions, and in addition each LOG, which should be of
different people or times. Takes about a minute.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

from models.fingerprint import fingerprint_of
from models.overlaps import Overlap, Readings, find_overlaps
from models.synthetic import synthesise
from stinger.logs import parse_log, read_log
from stinger.logs.writing import encode_bin
from stinger.sample import axes

SESSIONS = 50
MINUTES = 12.5
DRAWS = 200
_RNG = np.random.default_rng(1)

COPIES: dict[str, Callable[[Readings], Readings]] = {
    "the whole": lambda readings: readings,
    "the first two thirds": lambda readings: readings[: 2 * len(readings) // 3],
    "10 s from the middle": lambda readings: readings[len(readings) // 2 :][:1000],
    "1 % of samples lost": lambda readings: readings[_RNG.random(len(readings)) > 0.01],
    "30 % of samples lost": lambda readings: readings[_RNG.random(len(readings)) > 0.3],
    "every 2nd sample": lambda readings: readings[::2],
    "every 5th sample": lambda readings: readings[3::5],
}


def found_share(overlaps: tuple[Overlap, ...], count: int) -> float:
    found = np.zeros(count, dtype=np.bool_)
    for overlap in overlaps:
        found[overlap.start : overlap.stop] = True
    return float(found.mean())


def main() -> None:
    sessions = [synthesise(minutes=MINUTES, seed=seed) for seed in range(1, SESSIONS + 1)]
    motion = [axes(samples) for samples in sessions]
    others = [recording.axes for path in sys.argv[1:] for recording in read_log(path).recordings]
    print_copies(others or motion[:12])
    everything = [*motion, *others]
    overlaps = len(find_overlaps(everything))
    hours = sum(map(len, everything)) / 360_000
    print(f"\n{len(everything)} different recordings, {hours:.1f} hours: {overlaps} overlaps found")
    files = [encode_bin(samples) for samples in sessions]
    print(f"\n{SESSIONS} recordings, {sum(map(len, motion)) / 360_000:.1f} hours, seconds of one core")
    works: dict[str, Callable[[], object]] = {
        "read from .bin": lambda: [parse_log(data, "log") for data in files],
        "compared with each other": lambda: find_overlaps(motion),
        "compared, with a copy of each beside it": lambda: find_overlaps([*motion, *motion]),
        "fingerprint of all": lambda: fingerprint_of(motion),
    }
    for name, work in works.items():
        started = time.process_time()
        work()
        print(f"  {name:<44}{time.process_time() - started:>8.2f} s")
    print_fingerprint(motion[:-2], [*motion[-2:], *others])


def print_copies(pool: list[Readings]) -> None:
    print(f"copies of {len(pool)} recordings: how much of the copy is found, the least of all")
    print(f"  {'copy':<24}{'recordings compared':>22}{'by a fingerprint':>22}")
    for name, copy in COPIES.items():
        copies = [(whole, copy(whole)) for whole in pool]
        least = min(found_share(find_overlaps([whole, part]), len(part)) for whole, part in copies)
        by_fingerprint = min(float(fingerprint_of([whole]).seen(part).mean()) for whole, part in copies)
        print(f"  {name:<24}{100 * least:>20.1f} %{100 * by_fingerprint:>20.0f} %")


def print_fingerprint(known: list[Readings], unknown: list[Readings]) -> None:
    fingerprint = fingerprint_of(known)
    size = len(fingerprint.to_json()["hashes"])
    hours = sum(map(len, known)) / 360_000
    recognised = sum(bool(fingerprint.seen(one).any()) for one in unknown)
    print(f"\nfingerprint of {hours:.1f} hours: {size / 1000:.1f} kB; {recognised} of {len(unknown)} others recognised")
    for length_s in (15, 30, 60, 120, 300):
        hits = 0
        for _ in range(DRAWS):
            whole = known[_RNG.integers(len(known))]
            start = int(_RNG.integers(0, len(whole) - 100 * length_s))
            hits += bool(fingerprint.seen(whole[start : start + 100 * length_s]).any())
        print(f"  a stretch of {length_s:>3} s of them is recognised in {100 * hits / DRAWS:.0f} %")


if __name__ == "__main__":
    main()
