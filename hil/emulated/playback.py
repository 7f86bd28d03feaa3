"""The samples of an emulated sensor: from recordings, once or repeated, or from an endless synthetic session."""

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

    ``offset_ms`` ``(n,) int64``, ascending, counts from the start of the playback; ``time_ms`` ``(n,) int64`` is the
    device's clock, unwrapped.
    """

    offset_ms: npt.NDArray[np.int64]
    time_ms: npt.NDArray[np.int64]
    samples: SampleArray


def play_recordings(recordings: Sequence[Recording], *, loop: bool = False) -> Iterator[PlaybackBlock]:
    """Yield the samples of ``recordings``, one recording after another, by their timestamps, including gaps.

    A recording follows the previous one after one time step. With ``loop`` the playback repeats endlessly with a clock
    that continues, as if it were one long session.
    """
    begin_ms = pass_ms = 0
    while True:
        for recording in recordings:
            for start in range(0, len(recording), BLOCK_SAMPLES):
                time_ms = recording.time_ms[start : start + BLOCK_SAMPLES]
                yield _block(
                    begin_ms + time_ms - recording.time_ms[0],
                    pass_ms + time_ms,
                    recording.samples[start : start + BLOCK_SAMPLES],
                )
            begin_ms += int(recording.time_ms[-1] - recording.time_ms[0]) + round(recording.step_ms or _STEP_MS)
        if not loop:
            return
        pass_ms = begin_ms


def play_synthetic(seed: int) -> Iterator[PlaybackBlock]:
    """Yield an endless synthetic session, without gaps: the logger pauses, the sensor does not."""
    wraps_ms = last_ms = 0
    for block in synthetic_blocks(seed=seed, block_samples=BLOCK_SAMPLES, still_pause=False):
        first_ms = int(block["timestamp_ms"][0])
        wraps_ms += CLOCK_WRAP_MS * (first_ms < last_ms)
        # A block is 20 s long, so a wrap of the clock within it shows as a step back, too.
        time_ms = block["timestamp_ms"].astype(np.int64)
        time_ms += wraps_ms + CLOCK_WRAP_MS * (time_ms < first_ms)
        wraps_ms, last_ms = int(time_ms[-1]) // CLOCK_WRAP_MS * CLOCK_WRAP_MS, int(time_ms[-1]) % CLOCK_WRAP_MS
        yield _block(time_ms, time_ms, block)


def _block(
    offset_ms: npt.NDArray[np.int64], time_ms: npt.NDArray[np.int64], samples: npt.NDArray[Any]
) -> PlaybackBlock:
    copied = samples.copy()
    copied["timestamp_ms"] = time_ms % CLOCK_WRAP_MS
    return PlaybackBlock(offset_ms=offset_ms, time_ms=time_ms, samples=copied)
