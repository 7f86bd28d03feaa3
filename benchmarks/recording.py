"""What recording costs.

Measured are appending, by block size, forcing many files to the disk, and recovery at the next start. Run: python -m
benchmarks.recording [FOLDER]. The default folder is the system's folder for temporary files.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.timing import side_by_side
from service.base.source import Block
from service.recording.recorder import Recorder
from service.recording.recovery import recover
from stinger.device_name import DeviceName
from stinger.sample import SAMPLE_BYTES, make_samples

SAMPLES = 20_000
FILES = 1000


def blocks_of(size: int) -> list[Block]:
    channels = np.random.default_rng(1).integers(-2000, 2000, (SAMPLES, 6))
    samples = make_samples(10 * np.arange(SAMPLES), channels, np.zeros(SAMPLES))
    taken_ns = 1e7 * np.arange(SAMPLES, dtype=np.float64)
    return [
        Block(DeviceName("d"), samples[at : at + size], taken_ns[at : at + size], 1.7e9, 0, 0)
        for at in range(0, SAMPLES, size)
    ]


def append_all(recorder: Recorder, blocks: list[Block]) -> None:
    recorder.new_file(DeviceName("d"))
    for block in blocks:
        recorder.append(block)


def write_all(path: Path, blocks: list[Block]) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for block in blocks:
        os.write(fd, block.samples.tobytes())
    os.close(fd)


def write_and_sync_all(path: Path, blocks: list[Block]) -> None:
    with path.open("ab") as file:
        for block in blocks[: SAMPLES // 100]:
            file.write(block.samples.tobytes())
            file.flush()
            os.fsync(file.fileno())


def time_flushing(folder: Path) -> None:
    files = [os.open(folder / f"{number}.bin", os.O_WRONLY | os.O_CREAT) for number in range(FILES)]

    def dirty() -> None:
        for fd in files:
            os.write(fd, bytes(500 * SAMPLE_BYTES))

    def each() -> None:
        dirty()
        for fd in files:
            getattr(os, "fdatasync", os.fsync)(fd)

    def at_once() -> None:
        dirty()
        os.sync()

    ways = {"fdatasync for each": each}
    if hasattr(os, "sync"):
        ways["one sync"] = at_once
    side_by_side(f"{FILES:,} files with 500 new samples each, to the disk", ways, rounds=3)
    for fd in files:
        os.close(fd)


def time_many_devices(folder: Path) -> None:
    block = blocks_of(20)[0]
    start = time.perf_counter()
    for number in range(FILES):
        path = folder / "alone" / f"d{number}" / "a.bin"
        path.parent.mkdir(parents=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT))
    alone_s = time.perf_counter() - start
    folder /= "recordings"
    recorder = Recorder(folder)
    start = time.perf_counter()
    for number in range(FILES):
        recorder.append(Block(DeviceName(f"d{number}"), block.samples, block.taken_ns, block.unix_offset_s, 0, 0))
    begun = time.perf_counter()
    recorder.flush()
    described = time.perf_counter()
    recorder.close()
    closed = time.perf_counter()
    print(
        f"\n{FILES:,} devices: first blocks {begun - start:.3f} s (creating folders and files alone {alone_s:.3f} s), ",
        end="",
    )
    print(f"sidecars and flush {described - begun:.3f} s, closing {closed - described:.3f} s")
    start = time.perf_counter()
    recover(folder)
    print(f"recovery with {FILES:,} closed recordings: {time.perf_counter() - start:.3f} s")
    for path in folder.glob("*/*.json"):
        path.unlink()
    start = time.perf_counter()
    found = recover(folder)
    print(f"recovery that closes {found.closed:,} recordings: {time.perf_counter() - start:.3f} s")


def main() -> None:
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as name:
        folder = Path(name)
        recorder = Recorder(folder / "append")
        for size in (1, 5, 20, 1000):
            blocks = blocks_of(size)
            ways = {
                "os.write alone": partial(write_all, folder / "plain.bin", blocks),
                "Recorder.append": partial(append_all, recorder, blocks),
            }
            medians = side_by_side(f"{SAMPLES:,} samples in blocks of {size}", ways)
            for way, seconds in medians.items():
                print(f"  {way:<44}{seconds / SAMPLES * 1e6:10.3f} us a sample")
        side_by_side(
            f"{SAMPLES // 100:,} samples, each forced to the disk at once",
            {"write and fsync": partial(write_and_sync_all, folder / "synced.bin", blocks_of(1))},
            rounds=1,
        )
        recorder.close()
        time_flushing(folder)
        time_many_devices(folder / "many")


if __name__ == "__main__":
    main()
