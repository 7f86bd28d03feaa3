"""Evaluation with turned recordings."""

from __future__ import annotations

import numpy as np
import pytest

from models.decision_parameters import DecisionParameters
from models.folds import folds_by_time
from models.sessions import Session
from models.spec import parse_spec
from models.stream_rows import StreamOptions
from models.task_runner import TaskRunner
from models.workers import Workers
from replay.evaluation.out_of_fold import out_of_fold_traces
from replay.evaluation.turned import TurnPlan, parse_angles, turned_results, turned_table
from stinger.errors import InputError
from stinger.recording import split_recordings
from stinger.shots import find_shots
from tests.helpers.synthetic import synthetic_samples


def sessions() -> list[Session]:
    found = []
    for number in (1, 2):
        (recording,) = split_recordings(synthetic_samples(4000, 12, seed=number))
        found.append(Session(f"made{number}", recording, find_shots(recording), 0))
    return found


def test_a_plan_gives_every_session_for_each_angle_and_axis() -> None:
    plan = TurnPlan((10, 90), draws=2, seed=3)
    turned = plan.turned(sessions())
    assert [one.name for one in turned] == ["made1", "made2"] * 4
    assert len({one.recording.samples.tobytes() for one in turned}) == 8
    again = plan.turned(sessions())
    assert all(np.array_equal(a.recording.samples, b.recording.samples) for a, b in zip(turned, again, strict=True))


def test_turned_copies_are_scored_by_the_model_of_the_fold_that_tests_the_original() -> None:
    own = sessions()
    folds = folds_by_time(own, 2)
    arguments = (own, folds, parse_spec("logreg:summary"), StreamOptions(), TaskRunner(Workers(jobs=1)))
    alone, _ = out_of_fold_traces(*arguments)
    # Copies that were not changed at all must get exactly the same outputs.
    together, _ = out_of_fold_traces(*arguments, changed=[*own, *own])
    assert len(together) == 6
    for copy, trace in zip(together, [*alone] * 3, strict=True):
        assert np.array_equal(copy.probability, trace.probability, equal_nan=True)


def test_results_are_those_of_each_angle_and_the_first_those_of_no_turn() -> None:
    own = sessions()
    plan = TurnPlan((20, 180), draws=2)
    traces, _ = out_of_fold_traces(
        own,
        folds_by_time(own, 2),
        parse_spec("mlp:rich"),
        StreamOptions(),
        TaskRunner(Workers(jobs=1)),
        changed=plan.turned(own),
    )
    results = turned_results(plan, traces[:2], traces[2:], DecisionParameters(), min_lead_ms=100)
    assert [(one.degrees, one.draws) for one in results] == [(0, 1), (20, 2), (180, 2)]
    precision = [one.average_precision or 0 for one in results]
    assert precision[0] > precision[2]
    assert all((one.lowest_precision or 0) <= (one.average_precision or 0) for one in results)
    lines = turned_table(results)
    assert lines[0].split() == ["turned", "by", "average", "precision", "lowest", "in", "time", "false/min", "duty"]
    assert lines[1].startswith("not turned")
    assert lines[2].startswith("20 degrees")


@pytest.mark.parametrize("text", ["", "0", "10,x", "10,181", "-5", "nan"])
def test_what_is_no_list_of_angles_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="expected angles above 0 and up to 180 degrees"):
        parse_angles(text)


def test_angles_are_parsed_in_their_order() -> None:
    assert parse_angles("30, 10.5,90") == (30, 10.5, 90)
