"""The settings of retraining: the table ``[retrain]`` of the configuration."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from models.export import ExportOptions
from models.negatives import RECOMMENDED, NegativeOptions
from models.row_options import STREAM, WINDOWS, RowOptions
from models.spec import ModelSpec, parse_spec
from models.stream_rows import HORIZON_MS, StreamOptions
from models.windows import LEAD_MS
from service.config.key import key
from stinger.errors import InputError

REPLACED_KEYS: Final = {
    "margin": "models are compared by cost, with an interval: set retrain.confidence",
    "session_margin": "sessions are compared together, by cost: set retrain.confidence or retrain.cost_missed_shot",
    "session_false_margin": "sessions are compared together, by cost: set retrain.confidence or retrain.cost_false_spin_up",
}
"""Keys of earlier versions, and what to set instead."""

_LONGEST_MS: Final = 3_600_000
_NEGATIVES: Final = "neg_"


def _distinct_candidates(candidates: tuple[str, ...]) -> tuple[str, ...]:
    """Return ``candidates``. Raises :class:`InputError` unless they are at least one model, all different."""
    if not candidates:
        raise InputError("expected at least one MODEL:FEATURES, such as mlp:rich")
    specs = [str(parse_spec(text)) for text in candidates]
    if len(set(specs)) < len(specs):
        raise InputError(f"names a candidate twice: {', '.join(specs)}")
    return candidates


@dataclass(frozen=True, slots=True)
class RetrainConfig:
    """Which recordings ``stinger retrain`` learns from, what it trains, and when a model becomes champion."""

    candidates: tuple[str, ...] = key(
        ("logreg:summary", "mlp:rich", "et:rich"),
        "Models to train, MODEL:FEATURES each. May be repeated.",
        option="--candidate",
        metavar="MODEL:FEATURES",
        parse=_distinct_candidates,
    )
    min_shots: int = key(
        100,
        "Compare models once there are this many accepted shots that the champion was not trained on.",
        low=5,
        high=1_000_000,
        option="--min-shots",
    )
    max_false_per_minute: float = key(
        4.0,
        "Upper limit for false spin-ups per minute, at the chosen threshold.",
        low=0,
        high=1000,
        option="--max-false-per-minute",
    )
    max_duty: float = key(
        0.5,
        "Upper limit for duty, the fraction of time with wheels on, at the chosen threshold.",
        low=0.001,
        high=1,
        option="--max-duty",
    )
    cost_missed_shot: float = key(
        1.0,
        "Cost of an accepted shot that is not in time. Models are compared by cost; only the ratios of the three costs matter.",
        low=0.001,
        high=1000,
        option="--cost-missed-shot",
    )
    cost_false_spin_up: float = key(
        0.1,
        "Cost of a false spin-up, in addition to that of the time with wheels on. By default ten are as bad as a missed shot.",
        low=0,
        high=1000,
        option="--cost-false-spin-up",
    )
    cost_minute_on: float = key(
        3.0,
        "Cost of a minute with wheels on: noise and battery. By default 20 seconds are as bad as a missed shot.",
        low=0,
        high=1000,
        option="--cost-minute-on",
    )
    confidence: float = key(
        0.95,
        "A new champion must cost less than the old one with this confidence, for all candidates together.",
        low=0.5,
        high=0.9999,
        option="--confidence",
    )
    max_hours: float = key(
        24.0,
        "Hours of kept recordings to learn from; the newest are used.",
        low=0.01,
        high=10_000,
        option="--max-hours",
    )
    folds: int = key(5, "Largest number of parts that are held out in turn.", low=2, high=100)
    seed: int = key(1, "Random seed for drawing windows and training.", low=0, high=2**32 - 1)
    labels: str = key(
        STREAM,
        "Train on samples of the whole recordings (stream), or on windows chosen around shots (windows; "
        "the keys retrain.neg_... choose the negatives).",
        choices=(STREAM, WINDOWS),
        option="--labels",
    )
    lead_ms: float = key(
        float(LEAD_MS), "Milliseconds before a shot at which its window ends.", low=0, high=_LONGEST_MS
    )
    horizon_ms: float = key(
        float(HORIZON_MS),
        "With labels = stream: a sample from lead_ms to this many milliseconds before a shot is positive.",
        low=0,
        high=_LONGEST_MS,
    )
    turned_deg: float = key(
        0.0,
        "With labels = stream: also train on each row turned by a random angle of up to this many degrees.",
        low=0,
        high=180,
    )
    neg_strategy: str = key(
        RECOMMENDED.strategy,
        "Draw negatives from anywhere (far), from shortly before shots (near), or both (mixed).",
        choices=("far", "near", "mixed"),
    )
    neg_mixed_near_frac: float = key(
        RECOMMENDED.mixed_near_frac, "With mixed: the fraction of negatives from shortly before shots.", low=0, high=1
    )
    neg_mult: int = key(RECOMMENDED.mult, "Negatives drawn for each positive.", low=1, high=10_000)
    neg_min_motion_quantile: float = key(
        RECOMMENDED.min_motion_quantile,
        "Fraction of candidate windows to leave out: those with the least motion.",
        low=0,
        high=1,
    )
    neg_match_pos_motion: bool = key(
        RECOMMENDED.match_pos_motion, "Only take negatives with as much motion as the positives of their recording."
    )
    neg_pos_motion_q: float = key(
        RECOMMENDED.pos_motion_q,
        "With neg_match_pos_motion: allow motion between this quantile of the positives' motion and 1 minus it.",
        low=0,
        high=0.5,
    )
    neg_min_sep_ms: float = key(
        float(RECOMMENDED.min_sep_ms),
        "Smallest distance between the ends of two negatives, in milliseconds.",
        low=0,
        high=_LONGEST_MS,
    )
    neg_with_replacement: bool = key(
        RECOMMENDED.with_replacement,
        "Draw three times as many negatives as wanted, with replacement, then apply the smallest distance.",
    )
    neg_near_min_ms: float = key(
        float(RECOMMENDED.near_min_ms),
        "A near negative ends at least this many milliseconds before a positive window starts.",
        low=0,
        high=_LONGEST_MS,
    )
    neg_near_max_ms: float = key(
        float(RECOMMENDED.near_max_ms),
        "A near negative ends at most this many milliseconds before a positive window starts.",
        low=0,
        high=_LONGEST_MS,
    )
    neg_avoid_post_ms: float = key(
        float(RECOMMENDED.avoid_post_ms),
        "No negative ends within this many milliseconds after a trigger edge.",
        low=0,
        high=_LONGEST_MS,
    )
    neg_avoid_edges: str = key(
        RECOMMENDED.avoid_edges, "Trigger edges that negatives keep away from.", choices=("accepted", "all")
    )

    def __post_init__(self) -> None:
        # These raise for an empty near band, or a horizon below lead_ms, also where the other kind of labels is in use.
        self._window_options()
        self._stream_options()

    def specs(self) -> tuple[ModelSpec, ...]:
        """Return the candidates."""
        return tuple(parse_spec(text) for text in self.candidates)

    def row_options(self) -> RowOptions:
        """Return how training rows are chosen. Their windows have the length that model files require."""
        return self._stream_options() if self.labels == STREAM else self._window_options()

    def _stream_options(self) -> StreamOptions:
        return StreamOptions(
            lead_ms=self.lead_ms, horizon_ms=self.horizon_ms, turned_deg=self.turned_deg, seed=self.seed
        )

    def _window_options(self) -> ExportOptions:
        names = [entry.name for entry in fields(NegativeOptions)]
        negatives = NegativeOptions(**{name: getattr(self, _NEGATIVES + name) for name in names})
        return ExportOptions(lead_ms=self.lead_ms, negatives=negatives, seed=self.seed)
