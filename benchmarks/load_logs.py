"""Load 15 minutes of samples, compared with reading them row by row.

Run: python -m benchmarks.load_logs.
"""

from __future__ import annotations

import csv
import struct
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.timing import side_by_side
from stinger.logs import read_log, write_log
from stinger.sample import make_samples

SAMPLES = 90_000


def by_dict_reader(path: Path) -> list[dict[str, int]]:
    with path.open(newline="") as file:
        return [{key: int(value) for key, value in row.items()} for row in csv.DictReader(file)]


def by_struct(path: Path) -> list[tuple[int, ...]]:
    return list(struct.iter_unpack("<I6hB", path.read_bytes()))


def main() -> None:
    rng = np.random.default_rng(1)
    channels = rng.integers(-20_000, 20_000, (SAMPLES, 6))
    samples = make_samples(np.arange(SAMPLES) * 10, channels, rng.integers(0, 2, SAMPLES))
    with tempfile.TemporaryDirectory() as folder:
        binary, text = Path(folder, "log.bin"), Path(folder, "log.csv")
        write_log(binary, samples)
        write_log(text, samples)
        side_by_side(
            f"{SAMPLES:,} samples from a .bin",
            {"read_log": lambda: read_log(binary), "struct, a row at a time": lambda: by_struct(binary)},
        )
        side_by_side(
            f"{SAMPLES:,} samples from a .csv",
            {"read_log": lambda: read_log(text), "csv.DictReader": lambda: by_dict_reader(text)},
        )


if __name__ == "__main__":
    main()
