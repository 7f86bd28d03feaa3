"""The output of models at the time that it predicts.

For each sample, it is the probability that a shot comes at that sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.windows import Indices, Span, unbroken_before
from replay.trace import Trace

Probabilities = npt.NDArray[np.float64]
"""``(n, models)``, each from 0 to 1, or NaN where a model has no output."""


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """``probability`` ``(m, models)`` of a shot at the samples ``index`` ``(m,)`` of one recording, ascending.

    The probability at a sample comes from the window that ends one lead before it. ``index`` are the multiples of the
    stride. NaN where that window is incomplete: at the start of the recording and after each gap, for lead and window.
    """

    index: Indices
    probability: Probabilities

    def known(self) -> tuple[Indices, Probabilities]:
        """Return the samples ``(k,)`` that have a probability, and their probabilities ``(k, models)``."""
        rows = ~np.isnan(self.probability[:, 0])
        return self.index[rows], self.probability[rows]


def forecast_of(traces: Sequence[Trace], span: Span, *, stride: int = 1) -> Forecast:
    """Shift the outputs in ``traces``, one for each model and all of one session, by the lead of ``span``.

    A trace holds an output at the sample where its window ends; a forecast holds the same output at the sample that it
    predicts, ``span.lead_samples`` after the end of the window. Only every ``stride``-th sample is kept.
    """
    recording = traces[0].session.recording
    count = len(recording)
    probability = np.full((count, len(traces)), np.nan)
    # The window of a trace includes the sample at which it ends; the lead begins with the sample after that one.
    lead = min(span.lead_samples + 1, count)
    for column, trace in enumerate(traces):
        probability[lead:, column] = trace.probability[: count - lead]
    probability[unbroken_before(recording) < span.total] = np.nan
    index = np.arange(0, count, stride)
    return Forecast(index=index, probability=probability[index])
