"""Builds the C library for this machine and calls it through ctypes: a device without a board."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import pytest

from stinger.sample import SAMPLE_BYTES, SampleArray
from stinger.wire.host import Exchange
from tests.helpers.patience import PATIENCE_S
from tests.helpers.places import ROOT
from tests.helpers.samples import random_samples

SOURCES: Final = ROOT / "hil" / "firmware" / "stinger" / "src"
HERE: Final = Path(__file__).parent
WARNINGS: Final = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wpedantic", "-Werror")

_BUFFER: Final = 1 << 20
_MOST_WAITS: Final = 100


class Counts(ctypes.Structure):
    """``stinger_counts_t``."""

    _fields_ = [(name, ctypes.c_uint32) for name in ("samples", "sent", "dropped", "commands", "ignored", "refused")]


def library_sources() -> list[str]:
    """Return the C files of the library."""
    return [str(path) for path in sorted(SOURCES.glob("*.c"))]


def compiler(name: str) -> str:
    """Return the path of a compiler; skip the test where it is missing."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"needs {name}")
    return path


def compile_c(command: Sequence[str]) -> None:
    """Run a compiler; fail the test with what it printed unless it succeeds without a word."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=3 * PATIENCE_S, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def build_library(folder: Path) -> ctypes.CDLL:
    """Build the library and the port for tests as a shared object, and load it."""
    out = folder / "libstinger.so"
    options = ["-std=c99", "-O2", *WARNINGS, "-fPIC", "-shared", f"-I{SOURCES}", f"-I{HERE}"]
    compile_c([compiler("gcc"), *options, str(HERE / "host_port.c"), *library_sources(), "-lm", "-o", str(out)])
    library = ctypes.CDLL(str(out))
    library.host_new.restype = ctypes.c_void_p
    library.host_receive.restype = library.host_take.restype = ctypes.c_size_t
    library.host_wheels.restype = library.host_sample.restype = ctypes.c_bool
    library.host_counts.restype = Counts
    library.host_envelope.restype = ctypes.c_float
    return library


class Device:
    """A device of the library, with files in memory and a clock that the test sets.

    Without ``lr`` or ``mlp``, MLMD files, it has no factory model of that kind.
    """

    def __init__(self, library: ctypes.CDLL, lr: bytes = b"", mlp: bytes = b"", *, on: float = 0.5) -> None:
        self._library = library
        self._on = ctypes.c_float(on)
        self._kept = [ctypes.create_string_buffer(file, len(file)) if file else None for file in (lr, mlp)]
        self._log: object = None
        self._device = ctypes.c_void_p(
            library.host_new(
                self._kept[0], ctypes.c_size_t(len(lr)), self._kept[1], ctypes.c_size_t(len(mlp)), self._on
            )
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._library.host_free(self._device)

    def receive(self, data: bytes) -> int:
        """Offer bytes of the host; return how many were taken."""
        return int(self._library.host_receive(self._device, data, ctypes.c_size_t(len(data))))

    def poll(self) -> None:
        """Send what waits."""
        self._library.host_poll(self._device)

    def take(self) -> bytes:
        """Return what the device has written since the last call."""
        buffer = ctypes.create_string_buffer(_BUFFER)
        size = self._library.host_take(self._device, buffer, ctypes.c_size_t(_BUFFER))
        return buffer.raw[:size]

    def send(self, data: bytes) -> bytes:
        """Send all of ``data`` as a host does that waits for answers; return what the device wrote.

        A model that was loaded or deleted is in use from the next sample on, and until then the device takes no
        command. So it gets a sample whenever it waits.
        """
        written = b""
        waited = 0
        while True:
            taken = self.receive(data)
            data = data[taken:]
            self.poll()
            answer = self.take()
            written += answer
            if not data:
                return written
            waited = 0 if taken or answer else waited + 1
            assert waited < _MOST_WAITS, f"the device takes no more: {data[:80]!r}"
            if waited:
                self.play(random_samples(1))

    def ask(self, exchange: Exchange[object], sample: SampleArray | None = None) -> None:
        """Run ``exchange`` to its end; with ``sample`` the device takes a sample between two polls, as while it runs."""
        answer = self.send(exchange.start())
        for _ in range(20):
            question = exchange.receive(answer)
            if exchange.done:
                return
            if sample is not None:
                self.play(sample)
            answer = self.send(question)
        raise AssertionError(f"no answer to {exchange.question}")

    def play(self, samples: SampleArray) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
        """Take ``samples`` ``(n,)``, each at its own time; return the probabilities and flags ``(n,)``."""
        probability = np.empty(samples.shape[0], dtype=np.float32)
        flags = np.empty(samples.shape[0], dtype=np.uint8)
        self._library.host_play(
            self._device,
            samples.tobytes(),
            ctypes.c_size_t(samples.shape[0]),
            probability.ctypes.data_as(ctypes.c_void_p),
            flags.ctypes.data_as(ctypes.c_void_p),
        )
        return probability, flags

    def sample(self, record: bytes) -> bool:
        """Let the device read a sample from its sensor."""
        assert len(record) == SAMPLE_BYTES
        return bool(self._library.host_sample(self._device, record))

    def wheels(self, now_ms: int) -> bool:
        """Return whether the wheels are on at ``now_ms``."""
        self.set_now(now_ms)
        return bool(self._library.host_wheels(self._device))

    def set_now(self, now_ms: int) -> None:
        """Set the device's clock."""
        self._library.host_set_now(self._device, ctypes.c_uint32(now_ms))

    def set_write_at_most(self, size: int) -> None:
        """Set how many bytes the link takes in one write; 0 is a host that does not read."""
        self._library.host_set_write_at_most(self._device, ctypes.c_size_t(size))

    def set_busy(self, *, busy: bool) -> None:
        """Set whether the device is firing."""
        self._library.host_set_busy(self._device, ctypes.c_bool(busy))

    def set_storage_fails(self, *, fails: bool) -> None:
        """Set whether storing a file fails."""
        self._library.host_set_storage_fails(self._device, ctypes.c_bool(fails))

    def set_log(self, log: bytes) -> None:
        """Give the device a log."""
        self._log = ctypes.create_string_buffer(log, max(1, len(log)))
        self._library.host_set_log(self._device, self._log, ctypes.c_size_t(len(log)))

    def reboot(self) -> None:
        """Reboot; the stored files stay."""
        self._library.host_reboot(self._device, self._on)

    def disconnect(self) -> None:
        """Close the port."""
        self._library.host_disconnect(self._device)

    @property
    def counts(self) -> Counts:
        """The device's counters."""
        counts: Counts = self._library.host_counts(self._device)
        return counts

    @property
    def envelope(self) -> float:
        """Level of the device's envelope."""
        return float(self._library.host_envelope(self._device))
