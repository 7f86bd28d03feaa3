"""Detection in blocks of many devices at once, as far as they have no events: nearly all blocks of a hall."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.quiet_decisions import advance_quiet
from models.scorer import JoinedBlocks
from service.base.source import Block
from service.daemon.event_detector import EventDetector


def pass_quiet_blocks(
    detectors: Sequence[EventDetector],
    blocks: Sequence[Block],
    joined: JoinedBlocks,
    probability: npt.NDArray[np.float32],
) -> list[bool]:
    """Process each block that surely has no event with its device's detector; return for each whether that was done.

    ``joined`` has the samples of the blocks, ``probability`` ``(n,)`` their scores. What remains is left to
    :meth:`EventDetector.push`, whose result would have been the same for the others.
    """
    starts = joined.starts
    pressed = np.maximum.reduceat(joined.samples["trigger"], starts[:-1]) != 0
    decisions = [detector.decision for detector in detectors]
    quiet: list[bool] = advance_quiet(decisions, joined.time_ms, probability, starts, ~pressed).tolist()
    bounds, last_ms = starts.tolist(), joined.time_ms[starts[1:] - 1].tolist()
    for i, detector in enumerate(detectors):
        if quiet[i]:
            own = slice(bounds[i], bounds[i + 1])
            detector.push_quiet(blocks[i], joined.time_ms[own], probability[own], last_ms[i])
    return quiet
