"""Score samples of any number of devices: the same code for live samples, replayed ones and plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from stinger.mlmd import WINDOW_SAMPLES
from stinger.recording import GAP_MS, Recording
from stinger.sample import CHANNELS, CLOCK_WRAP_MS, SAMPLE_DTYPE, SampleArray, axes

BATCH_WINDOWS: Final = 256
"""Windows per run of the model: the fastest size measured (a batch of this size stays in the processor's cache)."""

_SLOTS_AT_FIRST: Final = 8

_AXES_AT: Final = 4
"""Where the channels begin in a record."""
_ROW_BYTES: Final = len(CHANNELS) * 2
_WINDOW_DTYPE: Final = np.dtype((np.void, WINDOW_SAMPLES * _ROW_BYTES))

Windows = npt.NDArray[np.int16]
Probability = npt.NDArray[np.float32]


class WindowModel(Protocol):
    """The interface of a model for a :class:`Scorer`.

    >>> class Moving:
    ...     def probability(self, windows: Windows) -> Probability:
    ...         return (windows.std(axis=1).max(axis=1) > 100).astype(np.float32)
    >>> Scorer(Moving()).push("b1", np.zeros(60, dtype=SAMPLE_DTYPE)).probability[[0, 48, 49, 59]]
    array([nan, nan,  0.,  0.], dtype=float32)
    """

    def probability(self, windows: Windows) -> Probability:
        """Return ``(m,) float32`` for windows ``(m, 50, 6) int16``."""


@dataclass(frozen=True, slots=True, eq=False)
class JoinedBlocks:
    """The samples ``(n,)`` of one or several blocks, one block after another, made by :func:`join_blocks`.

    ``time_ms`` ``(n,)`` is the device's time of each; ``starts`` ``(k + 1,)`` are the indices at which each block
    begins and the last one ends.
    """

    samples: SampleArray
    time_ms: npt.NDArray[np.int64]
    starts: npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """The scores of one or several blocks of samples, one block after another.

    ``probability`` ``(n,) float32`` has a value for each sample, NaN until the device's window is full;
    ``starts`` ``(k + 1,)`` are the indices at which each block begins and the last one ends. ``resets`` are the indices
    of samples before which the window of a device was emptied, because of a gap or a step back in time.
    """

    probability: Probability
    starts: npt.NDArray[np.intp]
    resets: npt.NDArray[np.intp]

    def block(self, i: int) -> Probability:
        """Return the probabilities of the ``i``-th block, as a view."""
        return self.probability[self.starts[i] : self.starts[i + 1]]


class Scorer:
    """Keeps the last 50 samples of every device and scores each new one.

    A device's window is emptied by a step in time longer than ``GAP_MS``, and by any step back.

    Scores do not depend on how samples are divided into blocks, except for the last digits of float32 (at most 1e-6):
    a model may add numbers in another order for another number of windows.
    """

    def __init__(self, model: WindowModel) -> None:
        self.model = model
        """May be replaced at any time: the windows stay, and the new model computes the next score."""
        self._slots: dict[str, int] = {}
        self._free: list[int] = []
        self._window = np.zeros((_SLOTS_AT_FIRST, WINDOW_SAMPLES, len(CHANNELS)), dtype=np.int16)
        self._filled = np.zeros(_SLOTS_AT_FIRST, dtype=np.int64)
        self._last_ms = np.zeros(_SLOTS_AT_FIRST, dtype=np.int64)

    def push(self, device_id: str, samples: SampleArray) -> Scores:
        """Score ``samples`` ``(n,)`` of one device, the next ones after those of the last call."""
        if samples.shape[0] == 1:
            return self._push_one(self._slot(device_id), samples)
        return self.push_blocks([(device_id, samples)])

    def push_blocks(self, blocks: Sequence[tuple[str, SampleArray]]) -> Scores:
        """Score blocks of several devices together. Raises ``ValueError`` if a device has two blocks."""
        return self.push_joined([device_id for device_id, _ in blocks], join_blocks([samples for _, samples in blocks]))

    def push_joined(self, device_ids: Sequence[str], joined: JoinedBlocks) -> Scores:
        """Score ``joined`` blocks, one of each device. Raises ``ValueError`` if a device has two blocks."""
        if len(set(device_ids)) < len(device_ids):
            raise ValueError("a device has two blocks in one call")
        samples, starts = joined.samples, joined.starts
        if not samples.size:
            return Scores(np.empty(0, dtype=np.float32), starts, np.empty(0, dtype=np.intp))
        slots = np.array([self._slot(device_id) for device_id in device_ids], dtype=np.intp)
        lengths = np.diff(starts)
        block_of = np.repeat(np.arange(lengths.size), lengths)
        filled, resets = self._count(joined.time_ms, slots, lengths, starts)
        windows = self._with_history(samples, slots, lengths, starts, block_of)
        probability = np.full(starts[-1], np.nan, dtype=np.float32)
        # In `windows`, each block follows the last 50 samples of its device: the window of sample j, in block i, begins
        # at row j + 50 i + 1.
        first_row = np.arange(starts[-1]) + WINDOW_SAMPLES * block_of + 1
        ready = np.flatnonzero(filled >= WINDOW_SAMPLES)
        for start in range(0, ready.size, BATCH_WINDOWS):
            batch = ready[start : start + BATCH_WINDOWS]
            taken = windows[first_row[batch]].view(np.int16).reshape(-1, WINDOW_SAMPLES, len(CHANNELS))
            probability[batch] = self.model.probability(taken)
        return Scores(probability, starts, resets)

    def is_full(self, device_id: str) -> bool:
        """Return whether the window of a device is full, so that its next sample has a score."""
        slot = self._slots.get(device_id)
        return slot is not None and bool(self._filled[slot] >= WINDOW_SAMPLES)

    def push_next(self, device_id: str, record: bytes, time_ms: int) -> float:
        """Score the sample in ``record``, taken at ``time_ms``, for a device whose window :meth:`is_full`.

        It follows the one before without a gap, which is not checked.
        """
        slot = self._slots[device_id]
        self._last_ms[slot] = time_ms
        return float(self.model.probability(self._shifted(slot, record))[0])

    def forget(self, device_id: str) -> None:
        """Drop the window of a device; do nothing for an unknown device."""
        slot = self._slots.pop(device_id, None)
        if slot is not None:
            self._filled[slot] = 0
            self._free.append(slot)

    def _push_one(self, slot: int, samples: SampleArray) -> Scores:
        """Score one sample, without the work that only a block of several samples needs."""
        time_ms = int(samples["timestamp_ms"][0])
        filled = int(self._filled[slot])
        reset = filled > 0 and (time_ms - int(self._last_ms[slot])) % CLOCK_WRAP_MS > GAP_MS
        filled = 1 if reset else filled + 1
        window = self._shifted(slot, samples.tobytes())
        self._filled[slot] = filled
        self._last_ms[slot] = time_ms
        probability = (
            self.model.probability(window) if filled >= WINDOW_SAMPLES else np.full(1, np.nan, dtype=np.float32)
        )
        return Scores(probability, _ONE_BLOCK, _FIRST if reset else _NONE)

    def _shifted(self, slot: int, record: bytes) -> Windows:
        """Append the sample in ``record`` to a window, and return the window, ``(1, 50, 6)``."""
        window = self._window[slot : slot + 1]
        content = window.data.cast("B")  # moves bytes in a fraction of the time of NumPy
        content[:-_ROW_BYTES] = content[_ROW_BYTES:]
        content[-_ROW_BYTES:] = record[_AXES_AT : _AXES_AT + _ROW_BYTES]
        return window

    def _count(
        self,
        time_ms: npt.NDArray[np.int64],
        slots: npt.NDArray[np.intp],
        lengths: npt.NDArray[np.intp],
        starts: npt.NDArray[np.intp],
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.intp]]:
        """Return the number of samples in the device's window after each sample, and the samples before which it was emptied."""
        position = np.arange(time_ms.size)
        begins = starts[:-1][lengths > 0]
        owners = slots[lengths > 0]
        before_ms = np.empty_like(time_ms)
        before_ms[1:] = time_ms[:-1]
        before_ms[begins] = self._last_ms[owners]
        # A step back is a huge step forward on a clock of 32 bits; a wrap of the clock is a small one.
        broken = (time_ms - before_ms) % CLOCK_WRAP_MS > GAP_MS
        broken[begins] &= self._filled[owners] > 0
        # The number of samples in the window at a block's first sample and after a gap; from there it grows by one
        # each.
        held = np.ones_like(time_ms)
        held[begins] = np.where(broken[begins], 1, self._filled[owners] + 1)
        known = broken.copy()
        known[begins] = True
        last_known = np.maximum.accumulate(np.where(known, position, 0))
        filled = held[last_known] + position - last_known
        ends = starts[1:][lengths > 0] - 1
        self._filled[owners] = filled[ends]
        self._last_ms[owners] = time_ms[ends]
        return filled, np.flatnonzero(broken)

    def _with_history(
        self,
        samples: SampleArray,
        slots: npt.NDArray[np.intp],
        lengths: npt.NDArray[np.intp],
        starts: npt.NDArray[np.intp],
        block_of: npt.NDArray[np.intp],
    ) -> npt.NDArray[np.void]:
        """Return every window in all blocks, each block after the last 50 samples of its device, and store the new last 50.

        Element r of the result is the window that begins at row r of these samples.
        """
        rows = np.empty((samples.size + WINDOW_SAMPLES * slots.size, len(CHANNELS)), dtype=np.int16)
        rows[np.arange(samples.size) + WINDOW_SAMPLES * (block_of + 1)] = axes(samples)
        head = starts[:-1] + WINDOW_SAMPLES * np.arange(slots.size)
        windows = _windows_of(rows)
        kept = self._window.reshape(self._filled.size, -1).view(_WINDOW_DTYPE)[:, 0]
        windows[head] = kept[slots]
        kept[slots] = windows[head + lengths]
        return windows

    def _slot(self, device_id: str) -> int:
        slot = self._slots.get(device_id)
        if slot is None:
            slot = self._free.pop() if self._free else len(self._slots)
            if slot == self._filled.size:
                self._window = np.concatenate((self._window, np.zeros_like(self._window)))
                self._filled = np.concatenate((self._filled, np.zeros_like(self._filled)))
                self._last_ms = np.concatenate((self._last_ms, np.zeros_like(self._last_ms)))
            self._slots[device_id] = slot
        return slot


def score_recording(model: WindowModel, recording: Recording) -> Probability:
    """Score each sample of ``recording``: ``(n,) float32``, NaN where no complete window ends."""
    return Scorer(model).push("", recording.samples).probability


def join_blocks(blocks: Sequence[SampleArray]) -> JoinedBlocks:
    """Join blocks of samples; for a thousand of them about 200 times faster than NumPy for arrays of records."""
    starts = np.zeros(len(blocks) + 1, dtype=np.intp)
    np.cumsum(np.array([block.shape[0] for block in blocks], dtype=np.intp), out=starts[1:])
    if len(blocks) == 1:
        samples = blocks[0]
    else:
        try:
            data = b"".join(blocks)  # type: ignore[arg-type]  # arrays are buffers, which the type stubs for 3.11 lack
        except TypeError:  # an array that is not contiguous, such as every second record of another
            data = b"".join([np.ascontiguousarray(block).data for block in blocks])
        samples = np.frombuffer(data, dtype=SAMPLE_DTYPE)
    return JoinedBlocks(samples, samples["timestamp_ms"].astype(np.int64), starts)


def _windows_of(rows: Windows) -> npt.NDArray[np.void]:
    """Return every window in ``rows`` ``(r, 6)`` as one element of 600 bytes, overlapping in memory.

    Copying windows as such elements is about 20 times faster than copying samples and axes.
    """
    count = rows.shape[0] - WINDOW_SAMPLES + 1
    return np.ndarray((count,), _WINDOW_DTYPE, rows, strides=(rows.strides[0],))


_ONE_BLOCK: Final = np.array([0, 1])
_FIRST: Final = np.array([0])
_NONE: Final = np.empty(0, dtype=np.intp)
