from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import GroupShuffleSplit

from models.dataset import Dataset
from models.splits import SPLITS, make_split, stratified_subset
from stinger.errors import InputError
from tests.models.datasets import make_dataset

datasets = st.builds(
    make_dataset,
    shots=st.integers(8, 30),
    negatives_a_shot=st.integers(1, 4),
    sessions=st.integers(2, 4),
    window_samples=st.just(1),
    seed=st.integers(0, 50),
)
seeds = st.integers(0, 1000)


@given(datasets, st.sampled_from(SPLITS), st.floats(0.15, 0.45), seeds)
def test_every_row_is_on_one_side_and_both_classes_are_on_both(
    dataset: Dataset, name: str, test_size: float, seed: int
) -> None:
    try:
        split = make_split(name, dataset.labels, dataset.rows, test_size=test_size, seed=seed)
    except InputError:
        # The ends of the sessions are what they are; every other split is drawn again until it is of use.
        assert name == "time"
        return
    assert sorted([*split.train.tolist(), *split.test.tolist()]) == list(range(len(dataset)))
    for side in (split.train, split.test):
        assert set(dataset.labels[side].tolist()) == {0, 1}
        assert (np.diff(side) > 0).all()


@given(datasets, seeds)
def test_a_group_split_keeps_a_shot_on_one_side(dataset: Dataset, seed: int) -> None:
    split = make_split("group", dataset.labels, dataset.rows, test_size=0.25, seed=seed)
    assert not set(dataset.rows.shot_num[split.train]) & set(dataset.rows.shot_num[split.test])


@given(st.integers(8, 300), st.integers(0, 50), seeds)
def test_a_group_split_draws_the_shots_that_the_original_script_draws(shots: int, data_seed: int, seed: int) -> None:
    dataset = make_dataset(shots=shots, negatives_a_shot=2, window_samples=1, seed=data_seed)
    split = make_split("group", dataset.labels, dataset.rows, test_size=0.25, seed=seed)
    # The original groups by the numbers of shots themselves, and takes the first draw of this generator.
    draws = GroupShuffleSplit(n_splits=50, test_size=0.25, random_state=seed)
    train, test = next(draws.split(dataset.labels, dataset.labels, dataset.rows.shot_num))
    np.testing.assert_array_equal(split.train, np.sort(train))
    np.testing.assert_array_equal(split.test, np.sort(test))


@given(datasets, seeds)
def test_a_session_split_keeps_a_session_on_one_side(dataset: Dataset, seed: int) -> None:
    split = make_split("session", dataset.labels, dataset.rows, test_size=0.25, seed=seed)
    assert not set(dataset.rows.session[split.train]) & set(dataset.rows.session[split.test])


@given(datasets, seeds)
def test_a_time_split_tests_on_the_end_of_each_session_whatever_the_seed(dataset: Dataset, seed: int) -> None:
    split = make_split("time", dataset.labels, dataset.rows, test_size=0.3, seed=seed)
    for session in set(dataset.rows.session.tolist()):
        times = dataset.rows.event_timestamp_ms
        mine = dataset.rows.session == session
        learnt, tested = (times[side][mine[side]] for side in (split.train, split.test))
        assert learnt.max() <= tested.min()
        assert tested.size == np.ceil(0.3 * np.count_nonzero(mine))
    again = make_split("time", dataset.labels, dataset.rows, test_size=0.3, seed=seed + 1)
    np.testing.assert_array_equal(split.test, again.test)


@pytest.mark.parametrize("name", ["random", "group", "session"])
def test_the_seed_alone_decides(name: str) -> None:
    dataset = make_dataset(shots=40, sessions=10)

    def tested(seed: int) -> bytes:
        return make_split(name, dataset.labels, dataset.rows, test_size=0.25, seed=seed).test.tobytes()

    assert tested(1) == tested(1)
    assert any(tested(1) != tested(seed) for seed in range(2, 6))


def test_rows_of_a_session_without_a_shot_stay_together() -> None:
    dataset = make_dataset(shots=20, sessions=2)
    negative = dataset.labels == 0
    dataset.rows.shot_num[negative] = -1
    split = make_split("group", dataset.labels, dataset.rows, test_size=0.25, seed=3)
    sides = {(dataset.rows.session[row], row in split.test) for row in np.flatnonzero(negative)}
    assert len(sides) == 2


def test_a_draw_that_leaves_a_class_out_is_drawn_again() -> None:
    dataset = make_dataset(shots=12, sessions=4)
    # Only two of the four sessions have positives: half of the draws of one session are of no use.
    dataset.labels[np.isin(dataset.rows.session, ["session 2", "session 3"])] = 0
    for seed in range(10):
        split = make_split("session", dataset.labels, dataset.rows, test_size=0.25, seed=seed)
        assert 0 < dataset.labels[split.test].sum() < dataset.labels.sum()


def test_error_of_a_time_split_whose_end_has_no_positive_names_what_to_try() -> None:
    dataset = make_dataset(shots=8)
    dataset.labels[:] = dataset.rows.event_timestamp_ms < 10_000
    with pytest.raises(
        InputError, match=r"test side of the time split has no positives .* try another --test-size or another split"
    ):
        make_split("time", dataset.labels, dataset.rows, test_size=0.25, seed=1)


@pytest.mark.parametrize(("label", "noun"), [(0, "positives"), (1, "negatives")])
@pytest.mark.parametrize("name", SPLITS)
def test_a_training_set_of_one_class_is_refused(name: str, label: int, noun: str) -> None:
    dataset = make_dataset(sessions=2)
    dataset.labels[:] = label
    with pytest.raises(InputError, match=f"the training set has no {noun}"):
        make_split(name, dataset.labels, dataset.rows, test_size=0.25, seed=1)


@pytest.mark.parametrize(
    ("name", "shots", "complaint"),
    [
        ("random", 1, "needs both classes on both sides: there are 3 rows"),
        ("group", 1, "a group split needs several shots: 1 there"),
        ("session", 8, "a session split needs several sessions: 1 there"),
        ("sideways", 8, "no split 'sideways': expected random, time, group, session"),
    ],
)
def test_an_impossible_split_is_refused(name: str, shots: int, complaint: str) -> None:
    dataset = make_dataset(shots=shots)
    with pytest.raises(InputError, match=complaint):
        make_split(name, dataset.labels, dataset.rows, test_size=0.25, seed=1)


@pytest.mark.parametrize("test_size", [0, 1, -0.5, float("nan")])
def test_a_test_size_that_is_no_fraction_is_refused(test_size: float) -> None:
    dataset = make_dataset()
    with pytest.raises(InputError, match="between 0 and 1"):
        make_split("time", dataset.labels, dataset.rows, test_size=test_size, seed=1)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(2, 90), seeds)
def test_a_subset_has_the_size_asked_for_and_every_class(positives: int, negatives: int, count: int, seed: int) -> None:
    labels = np.repeat(np.array([1, 0], dtype=np.uint8), [positives, negatives])
    subset = stratified_subset(labels, count, seed=seed)
    assert subset.size == min(count, labels.size) == np.unique(subset).size
    assert set(labels[subset]) == set(labels)
    assert abs(labels[subset].sum() - positives * subset.size / max(1, labels.size)) <= 1


def test_a_subset_too_small_for_both_classes_is_refused() -> None:
    with pytest.raises(InputError, match="1 rows cannot contain 2 classes"):
        stratified_subset(np.array([0, 1, 1]), 1, seed=1)
