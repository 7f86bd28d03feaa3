"""Blocks of samples as sources bring them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from service.base.source import Block
from stinger.device_name import DeviceName
from stinger.sample import SampleArray


def block_of(samples: SampleArray, *, device: str = "d", boot: int = 0, taken_s: float = 1_760_000_000.0) -> Block:
    return Block(
        device=DeviceName(device),
        samples=samples,
        taken_ns=1e7 * np.arange(len(samples), dtype=np.float64),
        unix_offset_s=taken_s,
        read_ns=time.monotonic_ns(),
        clock_zero_ms=1_760_000_000_000 + boot,
        boot=boot,
    )


def blocks_of(samples: SampleArray, size: int, *, device: str = "d", boot: int = 0) -> Iterator[Block]:
    """``samples`` cut into blocks of ``size``."""
    for start in range(0, len(samples), size):
        yield block_of(samples[start : start + size], device=device, boot=boot)
