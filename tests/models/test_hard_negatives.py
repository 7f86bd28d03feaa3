from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from models.hard_negatives import APART_ROWS, CLEAR_ROWS, FIRST_STEP, hard_rows
from models.windows import Indices


@settings(deadline=None)
@given(
    labels=st.lists(st.sampled_from([0] * 30 + [1]), min_size=1, max_size=150),
    rounds=st.integers(0, 3),
    seed=st.integers(0, 99),
)
def test_rounds_add_negatives_with_the_highest_output_of_the_model_before(
    labels: list[int], rounds: int, seed: int
) -> None:
    label = np.array(labels)
    outputs = np.random.default_rng(seed).permuted(np.tile(np.arange(label.size), (rounds, 1)), axis=1)
    trained_on: list[set[int]] = []

    def score(rows: Indices) -> npt.NDArray[np.floating]:
        trained_on.append(set(rows.tolist()))
        output: npt.NDArray[np.floating] = outputs[len(trained_on) - 1].astype(np.float64)
        return output

    trained_on.append(set(hard_rows(label, score, rounds).tolist()))
    negatives = [row for row, value in enumerate(labels) if value == 0]
    assert trained_on[0] == {row for row, value in enumerate(labels) if value} | set(negatives[::FIRST_STEP])
    added_before: list[int] = []
    for output, before, after in zip(outputs, trained_on, trained_on[1:], strict=False):
        added: list[int] = []
        for row in sorted(set(range(label.size)) - before, key=lambda row: -output[row]):
            soon = any(labels[row + 1 : row + 1 + CLEAR_ROWS])
            apart = not soon and all(abs(row - other) >= APART_ROWS for other in added_before + added)
            if apart and len(added) < sum(labels):
                added.append(row)
        assert after - before == set(added)
        added_before += added
