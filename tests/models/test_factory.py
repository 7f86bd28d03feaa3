from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from models.factory import factory_model
from models.factory.recipe import DECISION, SPEC, factory_dataset, make_factory_model
from models.model_file import Model, open_model
from models.synthetic import synthesise
from stinger.mlmd import WINDOW_SAMPLES
from stinger.recording import split_recordings
from stinger.sample import axes
from stinger.shots import find_shots


def test_factory_model_names_synthetic_sessions_as_its_only_data() -> None:
    meta = factory_model().meta
    assert meta.spec == str(SPEC)
    assert meta.decision == DECISION
    assert len(meta.training["sessions"]) == 12
    assert all(name.startswith("synthetic-") for name in meta.training["sessions"])


def average_precision(model: Model) -> tuple[float, float]:
    """Return the average precision on a session that no factory model was trained on, and that of guessing."""
    samples = synthesise(minutes=10, seed=104)
    (recording,) = split_recordings(samples)
    shot = np.zeros(samples.size, dtype=np.bool_)
    for index in find_shots(recording).index.tolist():
        shot[max(0, index - 30) : max(0, index - 10)] = True
    windows = np.lib.stride_tricks.sliding_window_view(axes(samples), WINDOW_SAMPLES, axis=0).transpose(0, 2, 1)
    ahead = shot[WINDOW_SAMPLES - 1 :]
    return float(average_precision_score(ahead, model.probability(windows))), float(ahead.mean())


def test_factory_model_predicts_shots_of_a_session_that_it_was_not_trained_on() -> None:
    precision, guessing = average_precision(factory_model())
    assert precision > 1.3 * guessing


@pytest.mark.slow
def test_factory_model_was_made_by_the_recipe() -> None:
    """Other libraries or processors may train it a little otherwise, so its precision is compared, not its bytes."""
    kept, made = factory_model(), open_model(make_factory_model())
    assert kept.meta.training["rows"] == made.meta.training["rows"] == len(factory_dataset())
    assert abs(average_precision(kept)[0] - average_precision(made)[0]) < 0.03
