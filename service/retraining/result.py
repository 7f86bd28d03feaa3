"""What came of a retraining."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from service.config.config import Config
from service.retraining.plan import Plan
from service.retraining.recordings import Gathered

if TYPE_CHECKING:  # these need scikit-learn, which is loaded only once training begins
    from replay.evaluation.contest import Contender, Contest
    from replay.evaluation.verdict import Verdict


class Outcome(Enum):
    """How a retraining ended; the value is what a user is told and what the journal holds."""

    PROMOTED = "promoted"
    KEPT = "kept"
    NOT_YET = "not yet"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What was found where there was enough to judge by."""

    plan: Plan
    contest: Contest
    verdict: Verdict

    @property
    def rival(self) -> Contender | None:
        """The challenger that won, else the one that came nearest."""
        name = self.verdict.winner or (self.verdict.rulings[0].challenger if self.verdict.rulings else None)
        return next((one for one in self.contest.challengers if one.name == name), None)

    def told(self) -> tuple[str, ...]:
        """The verdict in a sentence or more."""
        champion, rival = self.contest.champion, self.rival
        if self.verdict.winner is None or rival is None or rival.point is None:
            best = self.verdict.rulings[0]
            return (
                f"No challenger may take the place of {champion.name}. The best is {best.challenger}:",
                *best.reasons,
            )
        shots = rival.point.accepted
        told = f"{rival.name} has {shots.count} of {shots.total} accepted shots in time within the budget"
        its = f"{champion.in_time}" if champion.point else "no threshold that keeps to it"
        return (f"{told}, the champion {champion.name} has {its}: it takes its place.",)


@dataclass(frozen=True, slots=True, eq=False)
class Retraining:
    """One retraining. ``champion`` is the version that served before, ``version`` the new one, if there is one.

    ``basis`` is a hash of everything that the outcome depends on; ``why`` is a sentence or more about the outcome, and
    ``folder`` where the report is.
    """

    began: datetime
    outcome: Outcome
    why: tuple[str, ...]
    config: Config
    gathered: Gathered
    champion: str
    basis: str
    seen: frozenset[int] = frozenset()
    judged: Judged | None = None
    version: str | None = None
    folder: Path | None = None
    remarks: tuple[str, ...] = ()
