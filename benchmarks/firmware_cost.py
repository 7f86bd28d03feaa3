"""What the C library costs a device: flash, memory, and instructions for each sample on a Cortex-M0.

QEMU counts instructions, so the figures are the same on every machine. Run: python -m benchmarks.firmware_cost (needs
arm-none-eabi-gcc and qemu-system-arm)
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from itertools import takewhile
from pathlib import Path

import numpy as np

from hil.emulated.factory import factory_models
from hil.qemu.image import COMPILER, build_image, recording_block, settings_block
from hil.qemu.machine import QEMU, machine_command
from models.synthetic import synthesise
from stinger.sample import SampleArray

PARTS = {
    "window": "a sample into the window, envelope, wheels; no model",
    "lr": "the same with the logistic regression",
    "mlp": "the same with the MLP",
    "frame": "a sample through the ring into a frame",
}
CORES = {"RP2040 and blaster (M0+), 132 MHz": 132e6, "micro:bit (M0), 16 MHz": 16e6}
CYCLES_AN_INSTRUCTION = 1.3
"""Assumed, not measured: a Cortex-M0+ takes one cycle for most instructions and two for loads, stores and branches."""


def moving_samples() -> SampleArray:
    samples = synthesise(minutes=1, seed=5)
    shot = int(np.flatnonzero(np.diff(samples["trigger"].astype(int)) == 1)[0])
    return samples[max(0, shot - 200) : shot + 100]


def count_instructions() -> dict[str, int]:
    blocks = {
        "SETTINGS": settings_block(*factory_models(), 0.5, repeat=False),
        "RECORDING": recording_block(moving_samples()),
    }
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
        serial = f"tcp:127.0.0.1:{server.getsockname()[1]}"
        counting = ("-icount", "shift=0", "-monitor", "none")
        command = machine_command(build_image(program="cost"), blocks, Path(folder), *counting, serial=serial)
        qemu = subprocess.Popen(command)
        try:
            server.settimeout(20)
            connection, _ = server.accept()
            connection.settimeout(60)
            with connection, connection.makefile(encoding="ascii") as lines:
                counts = takewhile(lambda line: not line.startswith("end"), lines)
                return {name: int(count) for name, count in map(str.split, counts)}
        finally:
            qemu.kill()
            qemu.wait()


def main() -> None:
    sizes = subprocess.run(
        ["arm-none-eabi-size", str(build_image())], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    text, data, bss = (int(number) for number in sizes[1].split()[:3])
    print(f"the blaster for QEMU: {text + data:,} bytes of flash, {data + bss:,} bytes of RAM without the stack")
    for name, count in count_instructions().items():
        times = ", ".join(f"{1e3 * count * CYCLES_AN_INSTRUCTION / hz:.2f} ms on {core}" for core, hz in CORES.items())
        print(f"{PARTS[name]:<55} {count:>9,} instructions: about {times}")


if __name__ == "__main__":
    if shutil.which(COMPILER) is None or shutil.which(QEMU) is None:
        raise SystemExit(f"needs {COMPILER} and {QEMU}")
    main()
