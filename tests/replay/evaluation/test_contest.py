from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.decision_parameters import DecisionParameters
from models.export import ExportOptions
from models.folds import HeldOut, folds_by_time, folds_holding_out
from models.model_file import Model, open_model
from models.negatives import RECOMMENDED
from models.scorer import score_recording
from models.sessions import Session
from models.spec import ModelSpec, parse_spec
from models.task_runner import TaskRunner
from models.workers import Workers
from replay.evaluation.contest import Contest, run_contest
from replay.evaluation.cost import CostWeights
from replay.evaluation.cost_choice import Budget
from replay.evaluation.evaluate import evaluate
from replay.evaluation.held_out import score_candidates, train_on_all
from replay.evaluation.verdict import Rules, judge
from replay.trace import Trace
from tests.helpers.retraining import blind_model, session_of
from tests.helpers.synthetic import synthetic_samples

LOGREG = parse_spec("logreg:summary")
OPTIONS = ExportOptions(negatives=RECOMMENDED)
ALONE = TaskRunner(Workers(jobs=1))
BUDGET = Budget(max_false_per_minute=4, max_duty=0.5)


def made_sessions(count: int = 3) -> tuple[Session, ...]:
    return tuple(session_of(synthetic_samples(6000, 15, seed=seed), f"s{seed}") for seed in range(count))


def holding_out(sessions: tuple[Session, ...], *positions: int) -> HeldOut:
    return HeldOut(sessions, positions, folds_holding_out(sessions, positions, 5))


def contest(test: HeldOut, specs: tuple[ModelSpec, ...] = (LOGREG,), runner: TaskRunner = ALONE) -> Contest:
    champion: tuple[str, Model] = ("old", open_model(blind_model()))
    return run_contest(champion, specs, test, OPTIONS, BUDGET, weights=CostWeights(), runner=runner)


def outputs(sessions: tuple[Session, ...], *positions: int) -> list[bytes]:
    ((candidate,), _) = score_candidates([LOGREG], holding_out(sessions, *positions), OPTIONS, ALONE)
    return [trace.probability.tobytes() for trace in candidate.traces]


def test_models_that_test_a_held_out_session_do_not_depend_on_its_content() -> None:
    sessions = made_sessions()
    mislabelled = sessions[1].recording.samples.copy()
    mislabelled["trigger"] = np.roll(mislabelled["trigger"], 137)
    changed = (sessions[0], session_of(mislabelled, "s1"), sessions[2])
    assert outputs(sessions, 1) == outputs(changed, 1)
    assert outputs(sessions, 0) != outputs(changed, 0)


def test_one_session_is_tested_in_blocks_and_every_block_has_outputs() -> None:
    sessions = made_sessions(1)
    test = HeldOut(sessions, (0,), folds_by_time(sessions, 4))
    ((candidate,), warnings) = score_candidates([LOGREG], test, OPTIONS, ALONE)
    assert warnings == ()
    (trace,) = candidate.traces
    assert np.array_equal(np.flatnonzero(np.isnan(trace.probability)), np.arange(49))


def test_a_model_that_learnt_aiming_beats_one_that_knows_nothing() -> None:
    found = contest(holding_out(made_sessions(), 0, 1, 2))
    (challenger,) = found.challengers
    assert found.champion.within is None
    assert challenger.within is not None
    assert challenger.within.accepted.count > 30
    assert challenger.within.false.value <= BUDGET.max_false_per_minute
    assert challenger.within.duty <= BUDGET.max_duty
    rules = Rules(CostWeights(), BUDGET, confidence=0.95)
    assert judge(found, rules).winner == "logreg:summary"


def test_sessions_of_a_contender_add_up_to_its_whole() -> None:
    found = contest(holding_out(made_sessions(), 0, 2))
    (challenger,) = found.challengers
    assert found.held_out == ("s0", "s2")
    assert sum(one.accepted.count for one in challenger.sessions) == challenger.best.accepted.count
    assert sum(one.false.count for one in challenger.sessions) == challenger.best.false.count


def test_champion_is_judged_with_its_own_way_of_deciding() -> None:
    own = DecisionParameters(on=0.33, off=0.1, attack=0.9, release=0.9)
    model = open_model(blind_model())
    model.meta = replace(model.meta, decision=own)
    sessions = made_sessions(2)
    found = run_contest(
        ("old", model), [LOGREG], holding_out(sessions, 0), OPTIONS, BUDGET, weights=CostWeights(), runner=ALONE
    )
    (row,) = (row for row in found.champion.rows if row.parameters == own)
    trace = Trace(sessions[0], score_recording(model, sessions[0].recording))
    assert row == evaluate([trace], own)


def test_candidate_that_cannot_be_trained_is_reported_and_the_others_are_trained() -> None:
    sessions = made_sessions(2)
    quiet = sessions[1].recording.samples.copy()
    quiet["trigger"] = 0
    test = HeldOut(
        (sessions[0], session_of(quiet, "quiet")),
        (0,),
        folds_holding_out((sessions[0], session_of(quiet, "quiet")), (0,), 1),
    )
    found = contest(test)
    assert found.challengers == ()
    assert found.failed == {
        "logreg:summary": "fold 1 of 1: no shot to train on in 1 recording or part of one: record more shots"
    }


def test_session_without_training_rows_is_reported() -> None:
    early = synthetic_samples(6000, 15)
    early["trigger"] = 0
    early["trigger"][20:25] = 1
    found = contest(holding_out((*made_sessions(2), session_of(early, "early")), 0))
    (warning,) = found.warnings
    assert warning.startswith("early: not used for training: no positive window is left")


@pytest.mark.parametrize("workers", [Workers(jobs=2), Workers(jobs=2, backend="threading")])
def test_results_are_the_same_with_any_workers(workers: Workers) -> None:
    test = holding_out(made_sessions(), 0, 1, 2)
    specs = (LOGREG, parse_spec("mlp:rich"))
    assert contest(test, specs, TaskRunner(workers)) == contest(test, specs)


def test_final_model_is_trained_on_everything_and_names_it() -> None:
    sessions = made_sessions(2)
    meta = replace(open_model(blind_model()).meta, training={"sessions": ["s0", "s1"]})
    model, warnings = train_on_all(sessions, meta, OPTIONS, ALONE)
    assert warnings == ()
    assert model.meta.training["sessions"] == ["s0", "s1"]
    assert model.meta.training["positives"] == sum(session.accepted_shots for session in sessions)
    assert model.meta.training["fitted_on"] == "all rows"
