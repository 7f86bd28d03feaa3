"""What one blaster at 100 Hz costs, in shares of a core and in memory: the daemon, and two minimal processes.

An emulated blaster streams over a pty, mosquitto runs on the loopback. One minimal process only reads the port with the
same serial library, the other also runs the model after each read. All take turns, since the cost of waking the
processor a hundred times a second depends on what else it does, for other programs too. Linux only.

Run: python -m benchmarks.idle_cost [rounds]
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import serial_asyncio_fast

from models.factory import factory_model
from models.model_file import probe_windows
from stinger.wire.stream import SampleStream
from tests.helpers.brokers import Mosquitto

ROUNDS = 5
WARM_S = 3.0
MEASURED_S = 10.0


class Reading(asyncio.Protocol):
    """Requests samples and reads them; with ``score``, runs the model after each read."""

    def __init__(self, *, score: bool) -> None:
        self._model = factory_model() if score else None
        self._window = probe_windows()[-1:]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See :class:`asyncio.BaseProtocol`."""
        assert isinstance(transport, asyncio.Transport)
        transport.write(SampleStream.start())

    def data_received(self, data: bytes) -> None:
        """See :class:`asyncio.Protocol`."""
        del data
        if self._model is not None:
            self._model.probability(self._window)


async def read(path: str, *, score: bool) -> None:
    loop = asyncio.get_running_loop()
    await serial_asyncio_fast.create_serial_connection(loop, lambda: Reading(score=score), path)
    await asyncio.Event().wait()


@contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


def processor_s(pid: int) -> float:
    """Return the processor time that all threads of a process have taken, in seconds, exact to the nanosecond."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir()) / 1e9


def resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1000


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Mosquitto(folder / "mosquitto")
        broker.start()
        link = str(folder / "blaster")
        url = f"mqtt://127.0.0.1:{broker.port}"
        daemon = ["stinger", "run", "--source", f"serial://{link}?device=b", "--broker", url]
        ways = {
            "the port read": ["benchmarks.idle_cost", "read", link],
            "and the model run": ["benchmarks.idle_cost", "score", link],
            "the daemon": [*daemon, "--data-dir", str(folder / "data")],
        }
        shares: dict[str, list[float]] = {way: [] for way in ways}
        memory: dict[str, float] = {}
        try:
            with running("stinger", "emulate", "--pty", "--link", link, "--seed", "5") as blaster:
                assert blaster.stdout is not None
                blaster.stdout.readline()
                for _ in range(rounds):
                    for way, command in ways.items():
                        with running(*command) as process:
                            time.sleep(WARM_S)
                            began, before_s = time.monotonic(), processor_s(process.pid)
                            time.sleep(MEASURED_S)
                            used_s = processor_s(process.pid) - before_s
                            shares[way].append(100 * used_s / (time.monotonic() - began))
                            memory[way] = resident_mb(process.pid)
        finally:
            broker.kill()
        print(f"one blaster at 100 Hz, % of a core; {rounds} rounds of {MEASURED_S:g} s in turn")
        for way, taken in shares.items():
            print(
                f"  {way:<24}median {np.median(taken):5.2f}   {min(taken):5.2f} to {max(taken):5.2f}   {memory[way]:4.0f} MB"
            )


if __name__ == "__main__":
    if len(sys.argv) > 2:
        asyncio.run(read(sys.argv[2], score=sys.argv[1] == "score"))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
