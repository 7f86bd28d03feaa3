"""Training beside the recordings of others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.folds import folds_by_time
from models.sessions import Session
from models.spec import parse_spec
from models.stream_rows import StreamOptions
from models.task_runner import TaskRunner
from models.training_rows import BaseRows, TrainingRows, build_training_rows, join_with_base, row_rule
from models.workers import Workers
from replay.evaluation.out_of_fold import out_of_fold_traces
from replay.evaluation.own_weight import choose_own_weight
from stinger.recording import split_recordings
from stinger.shots import find_shots
from tests.helpers.synthetic import synthetic_samples

LOGREG = parse_spec("logreg:summary")
OPTIONS = StreamOptions()
ALONE = TaskRunner(Workers(jobs=1))


def session_of(seed: int, samples: int = 6000, shots: int = 20) -> Session:
    (recording,) = split_recordings(synthetic_samples(samples, shots, seed=seed))
    return Session(f"made{seed}", recording, find_shots(recording), 0)


def rows_of(session: Session) -> TrainingRows:
    return build_training_rows(LOGREG.feature_sets, row_rule([session], OPTIONS), session)


def test_rows_of_others_follow_with_a_smaller_weight() -> None:
    own, other = rows_of(session_of(1)), rows_of(session_of(2))
    inputs, labels, weights = join_with_base([own], BaseRows((other,), 4), {"summary"})
    assert weights is not None
    count = own.labels.size
    assert np.array_equal(inputs["summary"][:count], own.inputs["summary"])
    assert np.array_equal(inputs["summary"][count:], other.inputs["summary"])
    assert np.array_equal(labels, np.concatenate([own.labels, other.labels]))
    assert (set(weights[:count].tolist()), set(weights[count:].tolist())) == ({1.0}, {0.25})
    assert join_with_base([own], None, {"summary"})[2] is None


def test_without_others_the_choice_is_the_own_recording_alone() -> None:
    session = session_of(1)
    folds = folds_by_time([session], 3)
    choice = choose_own_weight([session], folds, LOGREG, OPTIONS, ALONE)
    (trace,), _ = out_of_fold_traces([session], folds, LOGREG, OPTIONS, ALONE)
    assert choice.base is None
    assert np.array_equal(choice.traces[0].probability, trace.probability, equal_nan=True)


def test_others_whose_shots_are_at_random_moments_are_not_used() -> None:
    """What they would add is wrong, which is seen on the held-out parts of the own recording."""
    own, other = session_of(1), rows_of(session_of(2, 12_000, 40))
    rng = np.random.default_rng(1)
    wrong = replace(other, labels=rng.permutation(1 - other.labels))
    choice = choose_own_weight(
        [own], folds_by_time([own], 3), LOGREG, OPTIONS, ALONE, others=[wrong], own_weights=[1.0]
    )
    assert choice.base is None


def test_others_who_move_alike_are_used_where_there_is_little_of_ones_own() -> None:
    own, others = session_of(1, 2000, 6), [rows_of(session_of(seed)) for seed in (2, 3, 4)]
    choice = choose_own_weight([own], folds_by_time([own], 2), LOGREG, OPTIONS, ALONE, others=others)
    assert choice.base is not None
    assert choice.base.own_weight in {1.0, 4.0, 16.0}
