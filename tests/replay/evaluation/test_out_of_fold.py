from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.export import ExportOptions
from models.folds import folds_by_time
from models.row_options import RowOptions
from models.sessions import Session
from models.spec import parse_spec
from models.stream_rows import StreamOptions
from models.task_runner import TaskRunner
from models.workers import Workers
from replay.evaluation.held_out import build_all_rows
from replay.evaluation.out_of_fold import out_of_fold_traces
from stinger.errors import InputError
from stinger.logs import read_log
from stinger.recording import split_recordings
from stinger.sample import SampleArray
from stinger.shots import find_shots
from tests.helpers.samples import samples_at
from tests.helpers.synthetic import synthetic_samples

LOGREG = parse_spec("logreg:summary")
ALONE = TaskRunner(Workers(jobs=1))


def session_of(samples: SampleArray) -> Session:
    (recording,) = split_recordings(samples)
    return Session("made", recording, find_shots(recording), 0)


def test_each_sample_with_a_whole_window_has_an_output() -> None:
    session = session_of(synthetic_samples(6000, 15, gaps=1))
    ((trace,), warnings) = out_of_fold_traces([session], folds_by_time([session], 3), LOGREG, ExportOptions(), ALONE)
    known = ~np.isnan(trace.probability)
    (gap,) = session.recording.gaps()
    expected = np.ones(6000, dtype=bool)
    expected[:49] = False
    expected[gap : gap + 49] = False
    assert np.array_equal(known, expected)
    assert warnings == ()


@pytest.mark.parametrize("options", [ExportOptions(), StreamOptions()])
def test_output_in_a_block_does_not_change_with_what_happens_in_it(options: RowOptions) -> None:
    """What a fold is tested on can have had no part in its model: other trigger edges in a block change nothing there."""
    samples = synthetic_samples(6000, 15)
    (fold, *_) = folds = folds_by_time([session_of(samples)], 3)
    stop = fold.test[0].stop
    changed = samples.copy()
    changed["trigger"][:stop] = 0
    one, other = (
        out_of_fold_traces([session_of(version)], folds_by_time([session_of(version)], 3), LOGREG, options, ALONE)
        for version in (samples, changed)
    )
    assert len(folds) == 3
    assert np.array_equal(one[0][0].probability[:stop], other[0][0].probability[:stop], equal_nan=True)
    assert not np.array_equal(one[0][0].probability[stop:], other[0][0].probability[stop:], equal_nan=True)


def test_fold_that_leaves_no_shot_to_learn_from_is_named() -> None:
    trigger = np.zeros(1000)
    trigger[100] = 1
    session = session_of(samples_at(np.arange(1000) * 10, trigger=trigger))
    with pytest.raises(InputError, match="logreg:summary cannot be trained: fold 1 of 2: no shot to train on"):
        out_of_fold_traces([session], folds_by_time([session], 2), LOGREG, ExportOptions(), ALONE)


def test_real_capture_can_be_tested_unseen(capture_csv: Path) -> None:
    (recording,) = read_log(capture_csv).recordings
    session = Session("capture", recording, find_shots(recording), 0)
    ((trace,), _) = out_of_fold_traces([session], folds_by_time([session], 5), LOGREG, ExportOptions(), ALONE)
    assert np.isnan(trace.probability).sum() == 49


def test_rows_hold_the_features_of_the_teacher_where_there_is_one() -> None:
    session = session_of(synthetic_samples(3000, 8))
    spec = parse_spec("mlp:rich")
    plain, distilled = (
        build_all_rows([session], [spec], StreamOptions(distilled=distilled), ALONE)["made"].inputs
        for distilled in (False, True)
    )
    assert (set(plain), set(distilled)) == ({"rich"}, {"rich", "motion"})
