from __future__ import annotations

from dataclasses import replace

import pytest

from models.model_meta import ModelMeta
from models.provenance import trained_on
from service.config.retraining import RetrainConfig
from service.retraining.contest_plan import ContestPlan, TooFewShotsError, plan_contest, seen_positions
from service.retraining.training_data import TrainingData, TrainingSession
from tests.helpers.retraining import session_of
from tests.helpers.synthetic import synthetic_samples

SETTINGS = replace(RetrainConfig(), min_shots=15)


def item(seed: int, *, shots: bool = True) -> TrainingSession:
    samples = synthetic_samples(6000, 15, seed=seed)
    if not shots:
        samples["trigger"] = 0
    return TrainingSession(session_of(samples, f"s{seed}"), f"s{seed}.bin", f"hash {seed}")


def plan(
    *items: TrainingSession, seen: tuple[TrainingSession, ...] = (), settings: RetrainConfig = SETTINGS
) -> ContestPlan:
    training = trained_on([one.session for one in seen], [one.sha256 for one in seen])
    meta = ModelMeta("mlp:rich", software="test", created="2026-01-01", training=training)
    data = TrainingData(items, ())
    return plan_contest(data, meta, settings, seen=seen_positions([meta], data))


def test_every_session_is_held_out_once_if_the_champion_has_seen_none() -> None:
    found = plan(item(1), item(2), item(3))
    assert found.test.positions == (0, 1, 2)
    assert len(found.test.folds) == 3
    assert found.method.startswith("Whole sessions were held out, in 3 turns.")


def test_sessions_that_the_champion_was_trained_on_are_used_for_training_only() -> None:
    old, new, newer = item(1), item(2), item(3)
    found = plan(old, new, newer, seen=(old,))
    assert found.test.positions == (1, 2)
    for fold in found.test.folds:
        assert "s1" in {piece.name for piece in fold.train}
        assert 0 not in {stretch.session for stretch in fold.test}
    assert "on the 2 of 3 sessions that it was not trained on" in found.method


def test_single_new_session_is_held_out_whole_next_to_old_ones() -> None:
    old, new = item(1), item(2)
    (fold,) = plan(old, new, seen=(old,)).test.folds
    assert [piece.name for piece in fold.train] == ["s1"]


def test_single_session_is_divided_in_time() -> None:
    found = plan(item(1))
    assert len(found.test.folds) == SETTINGS.folds
    assert found.method.startswith(
        "Only one session has shots, so 5 blocks in time were held out, with a guard of 1 s."
    )


def test_sessions_without_shots_do_not_count_as_training_data() -> None:
    found = plan(item(1), item(2, shots=False))
    assert "blocks in time" in found.method
    assert found.test.positions == (0, 1)


def test_too_few_new_shots_are_refused() -> None:
    old, new = item(1), item(2)
    with pytest.raises(
        TooFewShotsError, match=r"There are \d+ accepted shots that the champion was not trained on, and \d+ that"
    ):
        plan(old, new, seen=(old,), settings=replace(SETTINGS, min_shots=100))
    with pytest.raises(TooFewShotsError, match="There are 0 accepted shots"):
        plan()


def test_data_that_the_champion_has_seen_completely_is_refused() -> None:
    old = item(1)
    with pytest.raises(TooFewShotsError, match="a comparison needs 15"):
        plan(old, seen=(old,))


def test_method_mentions_a_champion_whose_file_does_not_name_its_data() -> None:
    assert "does not name its training data" in plan(item(1), item(2)).method
    assert "does not say" not in plan(item(1), item(2), seen=(item(9),)).method


def test_session_too_short_to_divide_is_refused() -> None:
    with pytest.raises(TooFewShotsError, match="cannot be divided: 61 folds by time need blocks"):
        plan(item(1), settings=replace(SETTINGS, min_shots=5, folds=61))
