from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.export import ExportOptions, build_dataset
from models.features import compute_features
from models.negatives import RECOMMENDED
from models.stream_rows import StreamOptions, build_stream_dataset
from models.training_rows import WindowRule, build_training_rows, join_rows, row_rule, rows_metadata
from stinger.errors import InputError
from stinger.sample import SampleArray
from tests.helpers.retraining import session_of
from tests.helpers.synthetic import synthetic_samples

OPTIONS = ExportOptions(negatives=RECOMMENDED)
SETS = frozenset({"summary", "rich"})


def without_shots(samples: SampleArray) -> SampleArray:
    quiet = samples.copy()
    quiet["trigger"] = 0
    return quiet


def test_piece_of_a_session_with_shots_is_its_training_set() -> None:
    session = session_of(synthetic_samples(6000, 15))
    part = build_training_rows(SETS, WindowRule(OPTIONS, 100), session)
    dataset = build_dataset([session], OPTIONS, about={})
    assert np.array_equal(part.labels, dataset.labels)
    for name in SETS:
        assert np.array_equal(part.inputs[name], compute_features(dataset.windows, name))


def test_session_without_a_shot_gives_as_many_negatives_a_minute_as_asked_for() -> None:
    session = session_of(without_shots(synthetic_samples(12_000, 15)))
    part = build_training_rows(SETS, WindowRule(OPTIONS, 30), session)
    assert part.labels.size == 60
    assert part.positives == 0
    assert part.inputs["summary"].shape == (60, 18)


def test_session_too_short_for_a_window_is_left_out_with_the_reason() -> None:
    part = build_training_rows(SETS, WindowRule(OPTIONS, 30), session_of(synthetic_samples(6000, 15)[:40], "short"))
    assert part.labels.size == 0
    assert part.inputs["rich"].shape == (0, 30)


def test_session_whose_shots_have_no_whole_window_is_left_out_with_the_reason() -> None:
    samples = synthetic_samples(300, 1)
    samples["trigger"] = 0
    samples["trigger"][20:25] = 1
    part = build_training_rows(SETS, WindowRule(OPTIONS, 30), session_of(samples, "early"))
    assert part.labels.size == 0
    assert part.warning is not None
    assert "early: not used for training: no positive window is left" in part.warning


def test_pieces_join_in_order_whatever_built_them() -> None:
    parts = [
        build_training_rows(SETS, WindowRule(OPTIONS, 30), session_of(synthetic_samples(3000, 8, seed=seed)))
        for seed in (1, 2)
    ]
    inputs, labels = join_rows(parts, ["rich"])
    assert np.array_equal(inputs["rich"], np.concatenate([part.inputs["rich"] for part in parts]))
    assert rows_metadata(parts)["positives"] == int(labels.sum())
    assert rows_metadata(parts)["rows"] == labels.size
    assert rows_metadata(parts)["dataset_sha256"] != rows_metadata(parts[::-1])["dataset_sha256"]


def test_pieces_without_a_shot_cannot_be_learnt_from() -> None:
    part = build_training_rows(SETS, WindowRule(OPTIONS, 30), session_of(without_shots(synthetic_samples(3000, 8))))
    with pytest.raises(InputError, match="no shot to train on in 1 recording"):
        join_rows([part], ["rich"])


def test_another_seed_takes_other_negatives_of_a_session_without_shots() -> None:
    session = session_of(without_shots(synthetic_samples(6000, 8)))
    one, other = (build_training_rows(SETS, WindowRule(replace(OPTIONS, seed=seed), 30), session) for seed in (1, 2))
    assert one.sha256 != other.sha256
    assert one.sha256 == build_training_rows(SETS, WindowRule(OPTIONS, 30), session).sha256


def test_rows_from_the_stream_are_those_of_all_sessions_together() -> None:
    sessions = [session_of(synthetic_samples(3000, 8, seed=seed), f"s{seed}") for seed in (1, 2)]
    options = StreamOptions(max_rows=600)
    rule = row_rule(sessions, options)
    labels = np.concatenate([build_training_rows(SETS, rule, session).labels for session in sessions])
    assert np.array_equal(labels, build_stream_dataset(sessions, options, about={}).labels)


def test_session_of_a_stream_without_a_shot_is_all_negative() -> None:
    session = session_of(without_shots(synthetic_samples(3000, 8)))
    part = build_training_rows(SETS, row_rule([session], StreamOptions(every=10)), session)
    assert part.labels.size == 295
    assert part.positives == 0


def test_reason_why_no_recording_can_be_used_is_given() -> None:
    samples = synthetic_samples(300, 1)
    samples["trigger"] = 0
    samples["trigger"][20:25] = 1
    session = session_of(samples, "early")
    part = build_training_rows(SETS, row_rule([session], OPTIONS), session)
    with pytest.raises(
        InputError, match=r"no shot to train on in 1 recording or part of one \(early: not used for training"
    ):
        join_rows([part], "rich")
