"""The result of a retraining."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from service.config.config import Config
from service.retraining.contest_plan import ContestPlan
from service.retraining.training_data import TrainingData

if TYPE_CHECKING:  # these need scikit-learn, which is loaded only when training begins
    from replay.evaluation.contest import Contender, Contest
    from replay.evaluation.verdict import Verdict


class Outcome(Enum):
    """The outcome of a retraining; the value is its name in reports and in the journal."""

    PROMOTED = "promoted"
    """A challenger is the new champion."""
    KEPT = "kept"
    """The champion stays."""
    NOT_YET = "not yet"
    """There are too few new shots to compare models on."""
    UNCHANGED = "unchanged"
    """Nothing has changed since the last retraining, so it was not repeated."""


@dataclass(frozen=True, slots=True, eq=False)
class JudgedContest:
    """A comparison of the champion with its challengers, and the verdict."""

    plan: ContestPlan
    contest: Contest
    verdict: Verdict

    @property
    def best_challenger(self) -> Contender | None:
        """The challenger that won, else the one that came nearest to it; None if none could be trained."""
        name = self.verdict.winner or (self.verdict.rulings[0].challenger if self.verdict.rulings else None)
        return next((one for one in self.contest.challengers if one.name == name), None)

    def summary(self) -> tuple[str, ...]:
        """Return the verdict in one or more sentences."""
        # Imported here as it loads scipy, which most retrainings do not need.
        from replay.evaluation.comparison_wording import felt_text, probability_text  # noqa: PLC0415

        champion = self.contest.champion.name
        if self.verdict.winner is None:
            ruling = self.verdict.rulings[0]
            return (
                f"No challenger replaces the champion {champion}. The best is {ruling.challenger}:",
                *ruling.reasons,
            )
        comparison = self.verdict.ruling(self.verdict.winner).within
        assert comparison is not None
        felt, probability = felt_text(comparison), probability_text(comparison)
        sentences = [f"{self.verdict.winner} replaces the champion {champion}: {felt}; {probability}."]
        if not self.contest.champion.best_is_within:
            sentences.append("Both were compared within the limits, which the champion exceeds at its best threshold.")
        return tuple(sentences)


@dataclass(frozen=True, slots=True, eq=False)
class RetrainingResult:
    """One retraining: its inputs, outcome and reasons, and where its report is."""

    started: datetime
    outcome: Outcome
    why: tuple[str, ...]
    """The reasons for the outcome, a sentence each."""
    config: Config
    data: TrainingData
    champion: str
    """Version of the champion before the retraining."""
    inputs_hash: str
    """A hash of everything that the outcome depends on."""
    seen: frozenset[int] = frozenset()
    """The positions in :attr:`data` of sessions that were only used for training (see ``plan_contest``)."""
    judged: JudgedContest | None = None
    version: str | None = None
    """Version of the new champion, if there is one."""
    folder: Path | None = None
    """The folder of the report, if one was written."""
    warnings: tuple[str, ...] = ()

    @property
    def all_warnings(self) -> tuple[str, ...]:
        """The warnings about the data, and those about the retraining."""
        return self.data.warnings + self.warnings
