"""Where an emulated sensor's samples come from: recordings, once or over and over, or a synthetic session without an end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.synthetic import synthetic_blocks
from stinger.recording import Recording
from stinger.sample import CLOCK_WRAP_MS, SAMPLE_RATE_HZ, SampleArray

BLOCK_SAMPLES: Final = 2000

_STEP_MS: Final = 1000 // SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True, eq=False)
class PlaybackBlock:
    """Samples ``(n,)``, n >= 1, and when they are taken.

    ``offset_ms`` ``(n,) int64``, ascending, counts from the start of all playing, ``time_ms`` ``(n,) int64`` is the
    device's clock without its wraps.
    """

    offset_ms: npt.NDArray[np.int64]
    time_ms: npt.NDArray[np.int64]
    samples: SampleArray


def play_recordings(recordings: Sequence[Recording], *, loop: bool = False) -> Iterator[PlaybackBlock]:
    """The samples of ``recordings``, one after another, by their own timestamps, gaps included.

    Each boot follows the one before after one time step. With ``loop`` all begins again after the last sample, and the
    clock goes on, so that it seems one long session.
    """
    begin_ms = pass_ms = 0
    while True:
        for recording in recordings:
            for start in range(0, len(recording), BLOCK_SAMPLES):
                time_ms = recording.time_ms[start : start + BLOCK_SAMPLES]
                yield _played(
                    begin_ms + time_ms - recording.time_ms[0],
                    pass_ms + time_ms,
                    recording.samples[start : start + BLOCK_SAMPLES],
                )
            begin_ms += int(recording.time_ms[-1] - recording.time_ms[0]) + round(recording.step_ms or _STEP_MS)
        if not loop:
            return
        pass_ms = begin_ms


def play_synthetic(seed: int) -> Iterator[PlaybackBlock]:
    """A synthetic session without an end, and without gaps: pausing is the logger's, not the sensor's."""
    wraps_ms = last_ms = 0
    for block in synthetic_blocks(seed=seed, block_samples=BLOCK_SAMPLES, still_pause=False):
        first_ms = int(block["timestamp_ms"][0])
        wraps_ms += CLOCK_WRAP_MS * (first_ms < last_ms)
        # Blocks are 20 s long: a wrap within one shows as a fall, too.
        time_ms = block["timestamp_ms"].astype(np.int64)
        time_ms += wraps_ms + CLOCK_WRAP_MS * (time_ms < first_ms)
        wraps_ms, last_ms = int(time_ms[-1]) // CLOCK_WRAP_MS * CLOCK_WRAP_MS, int(time_ms[-1]) % CLOCK_WRAP_MS
        yield _played(time_ms, time_ms, block)


def _played(
    offset_ms: npt.NDArray[np.int64], time_ms: npt.NDArray[np.int64], samples: npt.NDArray[Any]
) -> PlaybackBlock:
    copied = samples.copy()
    copied["timestamp_ms"] = time_ms % CLOCK_WRAP_MS
    return PlaybackBlock(offset_ms=offset_ms, time_ms=time_ms, samples=copied)
