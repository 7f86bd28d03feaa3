"""How often one of two models of equal quality is called better than the other.

These are the errors of retraining's verdict. Run: python -m benchmarks.verdict_errors [DRAWS]. In each draw, two models
have the same signal before each shot and the same misleading handling, and their own slow noise. At 95 % confidence,
2.5 % of draws should be called better, and 2.5 % worse.
"""

from __future__ import annotations

import sys

import numpy as np

from models.decision_parameters import DecisionParameters
from models.sessions import Session
from replay.evaluation.block_bootstrap import BlockBootstrap
from replay.evaluation.comparison import compare
from replay.evaluation.cost import CostWeights, Numbers, cost_table, divide_into_blocks
from replay.evaluation.cost_choice import held_out_counts
from replay.evaluation.evaluate import follow_traces
from replay.evaluation.sweep import TABLE_STEPS, thresholds
from tests.replay.evaluation.noisy_models import outputs, sessions_of

CASES = ((4, 6000, 15), (8, 9000, 10), (12, 6000, 8))
"""Number of sessions, and samples and shots in each."""
WEIGHTS = CostWeights()
PARAMETERS = [DecisionParameters(on=on) for on in thresholds(TABLE_STEPS)]


def main() -> None:
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else 150
    for count, samples, shots in CASES:
        sessions = sessions_of(count, samples=samples, shots=shots)
        rng = np.random.default_rng(5)
        blocks = divide_into_blocks(outputs(sessions, rng))
        bootstrap = BlockBootstrap(blocks, confidence=0.95)
        found = [
            compare(_held_out(sessions, rng), _held_out(sessions, rng), blocks, WEIGHTS, bootstrap)
            for _ in range(draws)
        ]
        better, worse = (sum(flags) for flags in zip(*((one.is_better, one.is_worse) for one in found), strict=True))
        print(f"{count} sessions of {samples / 6000:g} min, {shots} shots each; {bootstrap.count} {bootstrap.units}")
        print(f"  of {draws} draws, {better} called better, {worse} called worse", flush=True)


def _held_out(sessions: list[Session], rng: np.random.Generator) -> Numbers:
    traces = outputs(sessions, rng)
    blocks = divide_into_blocks(traces)
    table = cost_table(follow_traces(traces, PARAMETERS[0]), blocks, PARAMETERS)
    return held_out_counts(table, blocks, WEIGHTS).array


if __name__ == "__main__":
    main()
