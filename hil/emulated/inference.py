"""Computes the device's own probabilities and decisions, in blocks shortly after the samples to save CPU time."""

from __future__ import annotations

from typing import Final

from hil.emulated.arithmetic import DeviceArithmetic
from hil.emulated.journal import Journal
from models.decision import Decision
from models.decision_parameters import DecisionParameters
from models.scorer import Scorer
from stinger.mlmd import BlasterModel
from stinger.sample import SampleArray

BLOCK_SAMPLES: Final = 100
"""How many samples are scored at a time, unless a result is needed sooner."""


class Inference:
    """Fills in the journal's probabilities and wheels. The results do not depend on when :meth:`catch_up` is called."""

    def __init__(self, journal: Journal, model: BlasterModel, parameters: DecisionParameters | None = None) -> None:
        self._journal = journal
        self._next = journal.count
        self._scorer = Scorer(DeviceArithmetic(model))
        self._decision = Decision(parameters)
        self._output_ms: int | None = None

    def serve(self, model: BlasterModel) -> None:
        """Score with ``model`` from the next sample on."""
        self.catch_up()
        self._scorer.model = DeviceArithmetic(model)

    def reboot(self) -> None:
        """Reboot: empty the window, and switch the wheels off."""
        self.catch_up()
        self._scorer.forget("")
        self._decision = Decision(self._decision.parameters)
        self._output_ms = None

    def sample_taken(self) -> None:
        """Score, if a block is complete; call it after each sample entered into the journal."""
        if self._journal.count - self._next >= BLOCK_SAMPLES:
            self.catch_up()

    def skip_sample(self) -> None:
        """Leave the newest sample without a score: the blaster's inference is off."""
        self._score(self._journal.since(self._next)[:-1])
        self._next = self._journal.count

    def catch_up(self) -> None:
        """Score all samples taken so far."""
        self._score(self._journal.since(self._next))

    def _score(self, block: SampleArray) -> None:
        """Score the entries ``block`` ``(n,)`` of the journal, the next ones after those scored before."""
        if not block.shape[0]:
            return
        time_ms = block["time_ms"]
        scores = self._scorer.push("", block["sample"].copy())
        decided = self._decision.push(time_ms, scores.probability)
        self._journal.set_scores(int(block["number"][0]), scores.probability, decided.wheels)
        self._next = int(block["number"][-1]) + 1
        known = time_ms[scores.probability == scores.probability]
        if known.size:
            self._output_ms = int(known[-1])

    def wheels(self) -> bool:
        """Return whether the wheels are on after the last sample."""
        self.catch_up()
        return self._decision.wheels

    def output_age_ms(self, now_ms: int) -> int | None:
        """Return the milliseconds since the last output; ``None`` if there was none since the boot."""
        self.catch_up()
        return None if self._output_ms is None else max(0, now_ms - self._output_ms)
