"""What retraining goes by: the table ``[retrain]`` of the configuration."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from models.export import ExportOptions
from models.negatives import RECOMMENDED, NegativeOptions
from models.spec import ModelSpec, parse_spec
from models.windows import LEAD_MS
from service.config.key import key
from stinger.errors import InputError

_LONGEST_MS: Final = 3_600_000
_NEGATIVES: Final = "neg_"


def _candidates_problem(candidates: tuple[str, ...]) -> str | None:
    if not candidates:
        return "expected at least one MODEL:FEATURES, such as mlp:rich"
    try:
        specs = [str(parse_spec(text)) for text in candidates]
    except InputError as error:
        return str(error)
    return f"names a candidate twice: {', '.join(specs)}" if len(set(specs)) < len(specs) else None


@dataclass(frozen=True, slots=True)
class RetrainConfig:
    """What ``stinger retrain`` learns from, what it trains, and when that becomes champion."""

    candidates: tuple[str, ...] = key(
        ("logreg:summary", "mlp:rich", "et:rich"),
        "Models to train, MODEL:FEATURES each. May be repeated.",
        option="--candidate",
        metavar="MODEL:FEATURES",
        check=_candidates_problem,
    )
    min_shots: int = key(
        100,
        "Fewer accepted shots that the champion was not trained on are too few to judge by.",
        low=5,
        high=1_000_000,
        option="--min-shots",
    )
    max_false_per_minute: float = key(
        2.0,
        "Budget: false spin-ups a minute at which models are compared.",
        low=0,
        high=1000,
        option="--max-false-per-minute",
    )
    max_duty: float = key(
        0.5, "Budget: the part of the time that wheels may be on.", low=0.001, high=1, option="--max-duty"
    )
    margin: float = key(
        0.03,
        "A new champion has this part of the shots more in time than the old one.",
        low=0,
        high=1,
        option="--margin",
    )
    session_margin: float = key(
        0.1,
        "In no held-out session may it have fewer shots in time by more than this part of that session's.",
        low=0,
        high=1,
        option="--session-margin",
    )
    session_false_margin: float = key(
        1.0, "Nor more false spin-ups, by more than this a minute.", low=0, high=1000, option="--session-false-margin"
    )
    max_hours: float = key(
        24.0,
        "Hours of kept recordings to learn from, the newest first.",
        low=0.01,
        high=10_000,
        option="--max-hours",
    )
    folds: int = key(5, "Parts that are held out in turn, at most.", low=2, high=100)
    seed: int = key(1, "Of models, and of which windows are taken.", low=0, high=2**32 - 1)
    lead_ms: float = key(float(LEAD_MS), "How far ahead of a shot its window ends.", low=0, high=_LONGEST_MS)
    neg_strategy: str = key(
        RECOMMENDED.strategy,
        "Negatives from anywhere, from shortly before shots, or some of each.",
        choices=("far", "near", "mixed"),
    )
    neg_mixed_near_frac: float = key(
        RECOMMENDED.mixed_near_frac, "With mixed: the part from shortly before shots.", low=0, high=1
    )
    neg_mult: int = key(RECOMMENDED.mult, "So many negatives for each positive.", low=1, high=10_000)
    neg_min_motion_quantile: float = key(
        RECOMMENDED.min_motion_quantile, "Part of the candidates, those that move least, to leave out.", low=0, high=1
    )
    neg_match_pos_motion: bool = key(
        RECOMMENDED.match_pos_motion, "Only negatives that move as much as the positives of their recording."
    )
    neg_pos_motion_q: float = key(
        RECOMMENDED.pos_motion_q, "With it: from this quantile of the positives to 1 minus it.", low=0, high=0.5
    )
    neg_min_sep_ms: float = key(
        float(RECOMMENDED.min_sep_ms), "The ends of two negatives lie at least so far apart.", low=0, high=_LONGEST_MS
    )
    neg_with_replacement: bool = key(
        RECOMMENDED.with_replacement, "Draw three times as many as wanted, with replacement, then thin them."
    )
    neg_near_min_ms: float = key(
        float(RECOMMENDED.near_min_ms),
        "A near negative ends at least so long before a positive window starts.",
        low=0,
        high=_LONGEST_MS,
    )
    neg_near_max_ms: float = key(
        float(RECOMMENDED.near_max_ms), "And at most so long before it.", low=0, high=_LONGEST_MS
    )
    neg_avoid_post_ms: float = key(
        float(RECOMMENDED.avoid_post_ms),
        "No negative ends within so long after a trigger edge.",
        low=0,
        high=_LONGEST_MS,
    )
    neg_avoid_edges: str = key(
        RECOMMENDED.avoid_edges, "Which trigger edges negatives keep away from.", choices=("accepted", "all")
    )

    def __post_init__(self) -> None:
        self.export_options()  # raises for a near band that is none

    def specs(self) -> tuple[ModelSpec, ...]:
        """The candidates."""
        return tuple(parse_spec(text) for text in self.candidates)

    def export_options(self) -> ExportOptions:
        """How windows are chosen; they have the length that model files take."""
        names = [one.name for one in fields(NegativeOptions)]
        negatives = NegativeOptions(**{name: getattr(self, _NEGATIVES + name) for name in names})
        return ExportOptions(lead_ms=self.lead_ms, negatives=negatives, seed=self.seed)
