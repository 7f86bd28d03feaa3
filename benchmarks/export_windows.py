"""Export a training set, compared with Python lists, one window at a time.

Run: python -m benchmarks.export_windows, with --long for ten hours too.
"""

from __future__ import annotations

import argparse
import csv
import math
import multiprocessing
import random
import tempfile
import time
from pathlib import Path

from benchmarks.timing import side_by_side
from models.dataset import write_dataset
from models.export import ExportOptions, build_dataset
from models.negatives import RECOMMENDED
from models.sessions import open_sessions
from stinger.logs import read_log, write_log
from tests.helpers.synthetic import synthetic_samples

OPTIONS = ExportOptions(negatives=RECOMMENDED)
WINDOW = 50


def export(log: Path, folder: Path) -> int:
    dataset = build_dataset(open_sessions([read_log(log)]), OPTIONS, about={})
    write_dataset(folder, dataset)
    return len(dataset)


def far_negatives_by_lists(log: Path) -> list[int]:
    """Do only a part of the work: read the log, find the far candidates by the motion of each window, draw some."""
    columns: dict[str, list[int]] = {}
    with log.open(newline="") as file:
        for row in csv.DictReader(file):
            for key, value in row.items():
                columns.setdefault(key, []).append(int(value))
    trigger = columns["trigger"]
    accel = [columns[name] for name in ("ax", "ay", "az")]
    gyro = [columns[name] for name in ("gx", "gy", "gz")]
    candidates = []
    for end in range(WINDOW, len(trigger)):
        if any(trigger[i] for i in range(end - WINDOW, end)):
            continue
        moved = sum(axis[i] * axis[i] for i in range(end - WINDOW, end) for axis in gyro)
        pulled = sum(axis[i] * axis[i] for i in range(end - WINDOW, end) for axis in accel)
        candidates.append((moved / WINDOW + 0.05 * pulled / WINDOW, end))
    least = sorted(score for score, _ in candidates)[math.floor(0.2 * (len(candidates) - 1))]
    return random.Random(1).choices([end for score, end in candidates if score >= least], k=720)


def long_export(log: Path, folder: Path) -> None:
    start = time.perf_counter()
    rows = export(log, folder)
    seconds = time.perf_counter() - start
    # Not getrusage: its peak is inherited from the process that started this one.
    status = Path("/proc/self/status").read_text()
    peak_mb = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print(f"  {log.name:<44}{seconds:10.2f} s    {peak_mb:.0f} MB at most, {rows:,} windows")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true", help="also export ten hours")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = folder / "ml_log.csv"
        write_log(log, synthetic_samples(90_000, 240, bursts=40, gaps=10))
        side_by_side(
            "Export of 15 minutes: 90,000 samples, 240 shots, recommended options",
            {
                "read, choose, write": lambda: export(log, folder),
                "lists: reading and far candidates only": lambda: far_negatives_by_lists(log),
            },
            rounds=3,
        )
        if arguments.long:
            samples = synthetic_samples(3_600_000, 9600, bursts=1600, gaps=400)
            print("\nExport of ten hours: 3,600,000 samples, 9,600 shots, in a process of its own")
            for suffix in ("bin", "csv"):
                log = folder / f"ten_hours.{suffix}"
                write_log(log, samples)
                process = multiprocessing.get_context("spawn").Process(target=long_export, args=(log, folder))
                process.start()
                process.join()


if __name__ == "__main__":
    main()
