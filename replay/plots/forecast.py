"""A recording through models: a probability for every moment that has a whole window before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.window_models import Probabilities, WindowModels
from models.windows import Indices, Span, unbroken_before
from replay.trace import Trace
from stinger.recording import Recording

BLOCK_WINDOWS: Final = 16_384
"""Windows scored together: enough to keep every core busy, few enough to stay within some tens of megabytes."""


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """``probability`` ``(m, models)`` of a shot at the samples ``index`` ``(m,)``, ascending.

    It comes from the window that ends ``lead`` samples before. ``index`` are multiples of the stride; NaN where no window
    is whole: at the recording's start, and after each gap, for lead and window.
    """

    index: Indices
    probability: Probabilities

    def known(self) -> tuple[Indices, Probabilities]:
        """The samples that have a probability, and it."""
        rows = ~np.isnan(self.probability[:, 0])
        return self.index[rows], self.probability[rows]


def windows_to_score(recording: Recording, span: Span, *, stride: int = 1) -> int:
    """How many windows :func:`timeline_of` tells its progress of, all in all."""
    return max(0, -(-len(recording) // stride) - -(-span.total // stride))


def timeline_of(
    recording: Recording,
    models: WindowModels,
    span: Span,
    *,
    stride: int = 1,
    progress: Callable[[int], object] = lambda _: None,
) -> Timeline:
    """What ``models`` say of ``recording``, every ``stride`` samples. ``progress`` is told how many windows were scored."""
    index = np.arange(0, len(recording), stride)
    probability = np.full((index.size, len(models.names)), np.nan)
    first = int(np.searchsorted(index, span.total))
    if first < index.size:
        # A view: neighbouring windows share their samples, which the features make use of. It also holds the windows that
        # reach across a gap, a few for each: they are scored with the rest and dropped below.
        sliding = np.lib.stride_tricks.sliding_window_view(recording.axes, span.window_samples, axis=0)
        windows = sliding[index[first] - span.total :: stride].transpose(0, 2, 1)
        for start in range(first, index.size, BLOCK_WINDOWS):
            stop = min(start + BLOCK_WINDOWS, index.size)
            probability[start:stop] = models.probability(windows[start - first : stop - first])
            progress(stop - start)
    probability[unbroken_before(recording)[index] < span.total] = np.nan
    return Timeline(index=index, probability=probability)


def forecast_of(traces: Sequence[Trace], span: Span) -> Timeline:
    """The outputs in ``traces``, one for each model and all of one session, at the times that they speak of.

    A trace has them where their windows end, ``span.lead_samples`` earlier, as a blaster does.
    """
    recording = traces[0].session.recording
    index = np.arange(len(recording))
    probability = np.full((index.size, len(traces)), np.nan)
    # A trace's window holds the sample at which it ends, a timeline's ends before it.
    lead = min(span.lead_samples + 1, index.size)
    for column, trace in enumerate(traces):
        probability[lead:, column] = trace.probability[: index.size - lead]
    probability[unbroken_before(recording) < span.total] = np.nan
    return Timeline(index=index, probability=probability)
