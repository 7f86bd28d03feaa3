"""The two ways of choosing the windows that a model is trained on, and the parameters of estimators that suit each."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from models.export import ExportOptions
from models.spec import EstimatorOptions, parse_spec
from models.stream_rows import StreamOptions

RowOptions = ExportOptions | StreamOptions
"""Windows chosen around shots, or samples of the whole stream."""

STREAM: Final = "stream"
WINDOWS: Final = "windows"
"""Their names for users."""

WINDOW_FIT: Final = EstimatorOptions()
STREAM_FIT: Final = EstimatorOptions(
    mlp_epochs=5, mlp_min_steps=400, mlp_networks=3, mlp_alpha=0.1, trees=100, min_leaf_rows=10
)
"""Rows of a stream are many and alike: a few passes over them are enough; docs/training.md gives the measurements."""


TEACHER: Final = parse_spec("mlp:motion+mlp:rich")
"""What the blaster's MLP is fitted to if rows are ``distilled``."""


def fit_options(options: RowOptions) -> EstimatorOptions:
    """Return the parameters of estimators for rows that are chosen by ``options``."""
    if isinstance(options, StreamOptions):
        return replace(
            STREAM_FIT,
            hard_rounds=options.hard_rounds,
            mlp_epochs=options.passes,
            mlp_teacher=TEACHER if options.distilled else None,
        )
    return WINDOW_FIT
