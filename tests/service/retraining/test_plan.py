from __future__ import annotations

from dataclasses import replace

import pytest

from models.model_meta import ModelMeta
from models.provenance import trained_on
from service.config.retraining import RetrainConfig
from service.retraining.plan import NotYetError, Plan, plan_contest, seen_by
from service.retraining.recordings import Gathered, Source
from tests.helpers.retraining import session_of
from tests.helpers.synthetic import synthetic_samples

SETTINGS = replace(RetrainConfig(), min_shots=15)


def source(seed: int, *, shots: bool = True) -> Source:
    samples = synthetic_samples(6000, 15, seed=seed)
    if not shots:
        samples["trigger"] = 0
    return Source(session_of(samples, f"s{seed}"), f"s{seed}.bin", f"hash {seed}")


def plan(*sources: Source, seen: tuple[Source, ...] = (), settings: RetrainConfig = SETTINGS) -> Plan:
    training = trained_on([one.session for one in seen], [one.sha256 for one in seen])
    meta = ModelMeta("mlp", "rich", software="test", created="2026-01-01", training=training)
    gathered = Gathered(sources, ())
    return plan_contest(gathered, meta, settings, seen=seen_by([meta], gathered))


def test_without_anything_seen_every_session_is_held_out_once() -> None:
    found = plan(source(1), source(2), source(3))
    assert found.test.positions == (0, 1, 2)
    assert len(found.test.folds) == 3
    assert found.method.startswith("Whole sessions held out, in 3 turns.")


def test_what_the_champion_was_trained_on_is_learnt_from_and_never_compared_on() -> None:
    old, new, newer = source(1), source(2), source(3)
    found = plan(old, new, newer, seen=(old,))
    assert found.test.positions == (1, 2)
    for fold in found.test.folds:
        assert "s1" in {piece.name for piece in fold.train}
        assert 0 not in {stretch.session for stretch in fold.test}
    assert "on the 2 of 3 sessions that it was not trained on" in found.method


def test_single_new_session_is_held_out_as_a_whole_beside_old_ones() -> None:
    old, new = source(1), source(2)
    (fold,) = plan(old, new, seen=(old,)).test.folds
    assert [piece.name for piece in fold.train] == ["s1"]


def test_one_session_alone_is_divided_in_time() -> None:
    found = plan(source(1))
    assert len(found.test.folds) == SETTINGS.folds
    assert "only one session has shots: 5 blocks in time, with a guard of 1 s" in found.method.lower()


def test_sessions_without_shots_do_not_count_as_something_to_learn_from() -> None:
    found = plan(source(1), source(2, shots=False))
    assert "blocks in time" in found.method
    assert found.test.positions == (0, 1)


def test_too_few_new_shots_are_not_yet_enough() -> None:
    old, new = source(1), source(2)
    with pytest.raises(
        NotYetError, match=r"There are \d+ accepted shots that the champion was not trained on, and \d+ that"
    ):
        plan(old, new, seen=(old,), settings=replace(SETTINGS, min_shots=100))
    with pytest.raises(NotYetError, match="There are 0 accepted shots"):
        plan()


def test_everything_seen_is_not_yet_enough() -> None:
    old = source(1)
    with pytest.raises(NotYetError, match="it takes 15 to judge by"):
        plan(old, seen=(old,))


def test_champion_that_names_no_data_is_said_to() -> None:
    assert "does not say what it was trained on" in plan(source(1), source(2)).method
    assert "does not say" not in plan(source(1), source(2), seen=(source(9),)).method


def test_session_too_short_to_divide_is_not_yet_enough() -> None:
    with pytest.raises(NotYetError, match="cannot be divided: 61 folds by time need blocks"):
        plan(source(1), settings=replace(SETTINGS, min_shots=5, folds=61))
