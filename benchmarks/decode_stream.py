"""Decode the live stream in blocks of different sizes.

Run: python -m benchmarks.decode_stream.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks.timing import side_by_side
from stinger.sample import SAMPLE_DTYPE
from stinger.wire.frames import FrameDecoder, encode_frames
from stinger.wire.text_stream import TextStreamDecoder, encode_rows

SAMPLES = 100_000
FRAME_BYTES = 24
# One sample, the largest read of a serial port, a block of a socket, everything.
BLOCK_BYTES = (FRAME_BYTES, 4096, 65_536, SAMPLES * FRAME_BYTES)


def decode(decoder_type: type[FrameDecoder | TextStreamDecoder], data: bytes, block_bytes: int) -> None:
    decoder = decoder_type()
    for start in range(0, len(data), block_bytes):
        decoder.feed(data[start : start + block_bytes])


def main() -> None:
    samples = np.frombuffer(np.random.default_rng(1).bytes(SAMPLES * 17), dtype=SAMPLE_DTYPE).copy()
    samples["trigger"] &= 1
    frames, rows = encode_frames(samples, 0), encode_rows(samples)
    ways = {f"frames in blocks of {size:,} bytes": partial(decode, FrameDecoder, frames, size) for size in BLOCK_BYTES}
    ways["text rows in blocks of 4,096 bytes"] = partial(decode, TextStreamDecoder, rows, 4096)
    for name, seconds in side_by_side(f"{SAMPLES:,} samples from a stream", ways, rounds=5).items():
        print(f"  {name:<44}{SAMPLES / seconds / 1e6:10.2f} million samples a second")


if __name__ == "__main__":
    main()
