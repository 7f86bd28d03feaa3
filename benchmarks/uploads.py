"""What uploading recordings to shared storage costs the daemon: python -m benchmarks.uploads [RECORDINGS].

The storage is fsspec's, in memory, so that only the daemon's own share is measured, in processor time. An S3 library's
share is measured with moto's server in another process.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from models.storage.folder import StorageFolder
from service.recording.sidecar import EndReason, Sidecar
from service.recording.store import device_folder
from service.recording.upload_journal import JOURNAL_NAME, UploadJournal
from service.recording.upload_queue import UploadQueue
from stinger.device_name import DeviceName
from stinger.logs.marked import sidecar_path
from stinger.recording_name import recording_stem
from stinger.storage_url import StorageUrl, parse_storage_url
from stinger.utc import utc_text

_TURN_S = 0.01
DEVICES = 1000
SAMPLES = 6000
"""A minute: small, so that the cost of each file counts, and not that of its bytes."""


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        write_recordings(folder / "recordings", count)
        url = parse_storage_url("memory://uploads/hall")
        queue = queue_of(folder, url)
        measured("look at all recordings, the first time", queue.look, count)
        measured("upload one with its sidecar, to memory", lambda: upload(queue, 1000), 1000)
        while queue.upload_next():
            pass
        restarted = queue_of(folder, url)
        measured("open the journal", lambda: queue_of(folder, url), count)
        measured("look at all recordings, after a restart", restarted.look, count)
        time.sleep(3.1)  # folders that were changed just now are looked at once more
        restarted.look()
        measured(f"look for new ones in {DEVICES:,} folders without a change", restarted.look, DEVICES)
    with tempfile.TemporaryDirectory() as text, s3_endpoint() as bucket:
        folder = Path(text)
        write_recordings(folder / "recordings", 200)
        started = time.process_time()
        storage = StorageFolder(bucket)
        storage.list()
        print(f"load the S3 library and connect: {time.process_time() - started:.2f} s of processor time, once")
        queue = UploadQueue(folder / "recordings", storage, UploadJournal(folder / JOURNAL_NAME, bucket))
        queue.look()
        measured("upload one with its sidecar, to an S3 server", lambda: upload(queue, 100), 100)
        asyncio.run(show_lateness(queue))


async def show_lateness(queue: UploadQueue) -> None:
    """Print how late turns of an event loop are, with uploads in another thread and without, alternating."""
    late_s: dict[str, list[float]] = {"without uploads": [], "with uploads": []}
    for _ in range(5):
        for what, uploads in zip(late_s, (0, 20), strict=True):
            work = asyncio.ensure_future(asyncio.to_thread(upload, queue, uploads))
            end_s = time.perf_counter() + 1.0
            while time.perf_counter() < end_s or not work.done():
                due_s = time.perf_counter() + _TURN_S
                await asyncio.sleep(_TURN_S)
                late_s[what].append(time.perf_counter() - due_s)
    for what, values in late_s.items():
        values.sort()
        p50, p99, worst = (values[min(len(values) - 1, int(part * len(values)))] * 1e3 for part in (0.5, 0.99, 1))
        print(f"event loop late, {what}: p50 {p50:.2f} ms, p99 {p99:.2f} ms, max {worst:.1f} ms of {len(values)} turns")


def measured(what: str, action: Callable[[], object], count: int) -> None:
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    action()
    cpu_s, took_s = time.process_time() - began_cpu_s, time.perf_counter() - began_s
    print(f"{what}: {cpu_s * 1e3:.0f} ms of processor time ({cpu_s / count * 1e6:.0f} µs each), {took_s * 1e3:.0f} ms")


def upload(queue: UploadQueue, count: int) -> None:
    for _ in range(count):
        queue.upload_next()


def queue_of(folder: Path, url: StorageUrl) -> UploadQueue:
    return UploadQueue(folder / "recordings", StorageFolder(url), UploadJournal(folder / JOURNAL_NAME, url))


def write_recordings(recordings: Path, count: int) -> None:
    content = bytes(17 * SAMPLES)
    for number in range(count):
        started_s = 1_700_000_000.0 + 60 * (number // DEVICES)
        device = f"d{number % DEVICES}"
        path = device_folder(recordings, DeviceName(device)) / f"{recording_stem(started_s)}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        sidecar = Sidecar(device, utc_text(started_s), samples=SAMPLES, closed=True, end=EndReason.STOP)
        sidecar_path(path).write_bytes(sidecar.to_json())


@contextmanager
def s3_endpoint() -> Iterator[StorageUrl]:
    """Run an S3 server in a process of its own; yield a folder in it."""
    code = (
        "import sys\n"
        "from tests.helpers.s3_server import s3_server\n"
        "with s3_server() as server:\n"
        "    print(server.url, server.new_bucket(), flush=True)\n"
        "    sys.stdin.read()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        endpoint, bucket = process.stdout.readline().split()
        os.environ |= {
            "AWS_ENDPOINT_URL_S3": endpoint,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        yield parse_storage_url(f"s3://{bucket}/hall")
    finally:
        process.communicate("")


if __name__ == "__main__":
    main()
