from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.decision_parameters import DecisionParameters
from models.graph.export import blaster_model_of
from models.model_file import load_model, open_model
from models.output_scaling import OutputScaling
from models.stream_rows import StreamOptions
from models.task_runner import TaskRunner
from replay.evaluation.cost import cost_per_minute
from replay.evaluation.cost_choice import Budget
from replay.evaluation.data import EvaluationData, evaluation_data
from replay.evaluation.intervals import wilson
from replay.evaluation.output_calibration import SCALINGS
from replay.plots.shot_choice import ShotOrder
from service.round_trip.personal_files import PICTURE_OPTIONS, count_pictures, prediction_of, write_personal
from service.round_trip.personal_report import others_lines, result_lines, threshold_lines, verdict_lines
from service.round_trip.personalising import (
    BUDGETS,
    SPECS,
    WEIGHTS,
    NotYetError,
    PersonalModel,
    check_enough,
    choose_test_folds,
    personalise,
)
from stinger.logs import parse_log
from stinger.mlmd import LrModel, MlpModel, encode_mlmd, read_mlmd
from stinger.sample import SampleArray
from tests.helpers.drawing import open_fonts
from tests.helpers.samples import samples_at
from tests.helpers.synthetic import synthetic_samples

QUICK = StreamOptions(passes=1)
"""Rows for tests of what does not depend on how good a model is."""


def data_of(*boots: SampleArray) -> EvaluationData:
    return evaluation_data([parse_log(np.concatenate(boots).tobytes(), "ml_log.bin")], warn=pytest.fail)


@pytest.fixture(scope="module")
def models() -> tuple[PersonalModel, ...]:
    open_fonts()
    data = data_of(synthetic_samples(6000, 24))
    by, folds = choose_test_folds(data)
    return personalise(data, by, folds, rows=QUICK, runner=TaskRunner())


def test_a_model_of_each_supported_kind_is_trained(models: tuple[PersonalModel, ...]) -> None:
    assert [type(model.blaster_model) for model in models] == [LrModel, MlpModel]


def test_models_are_tested_by_time_with_a_guard_as_the_report_states(models: tuple[PersonalModel, ...]) -> None:
    assert {model.report.method for model in models} == {
        "5 folds by time with a guard of 1 s, each by a model trained on the others, seed 1"
    }


def test_final_models_are_trained_on_everything(models: tuple[PersonalModel, ...], tmp_path: Path) -> None:
    for model in models:
        (tmp_path / "model.onnx").write_bytes(model.onnx)
        meta = load_model(tmp_path / "model.onnx").meta
        training = meta.training
        assert OutputScaling(**meta.metrics["output_scaling"]) in (OutputScaling(), *SCALINGS)
        assert training["fitted_on"] == "all rows"
        assert training["inputs_sha256"] == [model.report.data[0].sha256]


def test_folder_holds_models_in_both_formats_reports_and_pictures(
    models: tuple[PersonalModel, ...], tmp_path: Path
) -> None:
    options = replace(PICTURE_OPTIONS, max_shots=2, dpi=40)
    drawn: list[int] = []
    files = write_personal(tmp_path, models, options=options, progress=drawn.append)
    assert sum(drawn) == count_pictures(models, options) == 2
    assert [type(read_mlmd(path)) for path in files.blaster_files] == [LrModel, MlpModel]
    for path in (files.overview, *files.sweeps, *files.shots.iterdir()):
        assert path.read_bytes().startswith(b"\x89PNG")
    assert "Recall against false spin-ups" in files.reports[0].read_text()
    assert load_model(tmp_path / "mlp-rich.onnx").meta.spec == "mlp:rich"


def test_threshold_for_the_menu_is_the_one_that_the_model_was_tested_and_written_with(
    models: tuple[PersonalModel, ...], tmp_path: Path
) -> None:
    for name, line, model in zip(("LR", "MLP"), threshold_lines(models), models, strict=True):
        assert line.startswith(f"{name}: set {model.threshold_percent} % in the blaster's menu. Chosen and tested on")
        assert model.report.operating.parameters == DecisionParameters(on=model.threshold_percent / 100)
        (tmp_path / "model.onnx").write_bytes(model.onnx)
        assert load_model(tmp_path / "model.onnx").meta.decision == model.report.operating.parameters
        at = [
            [r for r in model.report.rows if r.false.value <= limits.max_false_per_minute and r.duty <= limits.max_duty]
            for limits in (*BUDGETS, Budget(math.inf, 1))
        ]
        cheapest = [min(cost_per_minute(row, WEIGHTS) for row in rows) for rows in at if rows]
        chosen = cost_per_minute(model.report.operating, WEIGHTS)
        assert any(chosen == pytest.approx(cost) for cost in cheapest)


def test_losses_of_the_fit_are_kept_for_the_mlp_and_drawn(models: tuple[PersonalModel, ...], tmp_path: Path) -> None:
    lr, mlp = models
    assert (len(lr.losses), len(mlp.losses)) == (0, len(load_losses(mlp, tmp_path)))
    assert mlp.losses[-1] < mlp.losses[0]
    files = write_personal(tmp_path, models, options=replace(PICTURE_OPTIONS, max_shots=1, dpi=40))
    assert files.losses is not None
    assert files.losses.read_bytes().startswith(b"\x89PNG")
    only_lr = write_personal(tmp_path / "lr", models[:1], options=replace(PICTURE_OPTIONS, max_shots=1, dpi=40))
    assert only_lr.losses is None


def load_losses(model: PersonalModel, folder: Path) -> list[float]:
    (folder / "model.onnx").write_bytes(model.onnx)
    losses: list[float] = load_model(folder / "model.onnx").meta.training["losses"]["mlp:rich"]
    return losses


def test_pictures_show_the_threshold_of_each_model(models: tuple[PersonalModel, ...]) -> None:
    assert prediction_of(models).thresholds == tuple(model.threshold_percent / 100 for model in models)


def test_pictures_are_those_of_the_chosen_shots(models: tuple[PersonalModel, ...], tmp_path: Path) -> None:
    options = replace(PICTURE_OPTIONS, max_shots=3, dpi=40)
    drawn = {}
    for order in (ShotOrder.FIRST, ShotOrder.BEST, ShotOrder.WORST):
        files = write_personal(tmp_path / order, models[:1], options=options, shots=order)
        drawn[order] = {path.name for path in files.shots.iterdir()}
    assert drawn[ShotOrder.FIRST] == {"shot_000.png", "shot_001.png", "shot_002.png"}
    assert len(drawn[ShotOrder.BEST]) == len(drawn[ShotOrder.WORST]) == 3
    assert not drawn[ShotOrder.BEST] & drawn[ShotOrder.WORST]


def test_recordings_of_others_are_trained_on_where_they_help() -> None:
    own = data_of(synthetic_samples(3000, 22))
    others = data_of(synthetic_samples(6000, 24, seed=2)).sessions
    by, folds = choose_test_folds(own)
    lr = {spec: slot for spec, slot in SPECS.items() if str(spec) == "logreg:summary"}
    (alone,) = personalise(own, by, folds, specs=lr, rows=QUICK, runner=TaskRunner())
    (beside,) = personalise(own, by, folds, specs=lr, others=others, rows=QUICK, runner=TaskRunner())
    assert alone.own_weight is None
    assert others_lines((alone,), 0) == []
    assert others_lines((alone,), 1) == [
        "LR: trained on your recording alone: 1 recording in the data folder did not help."
    ]
    if beside.own_weight is None:
        assert beside.onnx == alone.onnx
    else:
        assert "a row of yours counts as" in others_lines((beside,), 1)[0]


def test_result_lists_the_chosen_and_three_other_thresholds_per_model(models: tuple[PersonalModel, ...]) -> None:
    lines = result_lines(models)
    assert lines[0] == "The recording: 1.0 minutes with 24 accepted shots."
    at = [line for line in lines if " of 24, " in line]
    shown = sorted({30, 50, 70, models[0].threshold_percent})
    assert [line.replace("LR", "").split()[0] for line in at[: len(shown)]] == [str(percent) for percent in shown]
    assert at[len(shown)].startswith("MLP")
    assert "few shots" in lines[-1]


def test_model_that_is_not_better_than_chance_gets_that_verdict(models: tuple[PersonalModel, ...]) -> None:
    random, other = (
        replace(model, report=replace(model.report, operating=replace(model.report.operating, by_chance=chance)))
        for model, chance in zip(models, (wilson(20, 24).low + 0.01, 0.01), strict=True)
    )
    operating = replace(random.report.operating, accepted=wilson(20, 24))
    random = replace(random, report=replace(random.report, operating=operating))
    assert (random.beats_chance, other.beats_chance) == (False, True)
    assert verdict_lines((random, other))[0].startswith(
        "LR: not reliably better than chance (in time at least 64 %, by chance 65 %)"
    )


@pytest.mark.parametrize(
    ("shots", "count"), [(0, "no accepted shots"), (1, "1 accepted shot"), (19, "19 accepted shots")]
)
def test_log_with_few_shots_is_not_enough_yet(shots: int, count: str) -> None:
    trigger = np.zeros(20_000)
    trigger[500 : 500 + 1000 * shots : 1000] = 1
    data = data_of(samples_at(np.arange(20_000) * 10, trigger=trigger))
    with pytest.raises(NotYetError, match=f"the log holds {count}.* At least 20 are needed, and 100 are good"):
        check_enough(data)


def test_log_whose_shots_all_follow_a_pause_is_not_enough_yet_with_details() -> None:
    """Before such a shot there is no complete window."""
    index = np.arange(6000)
    trigger = (index % 200 == 20).astype(int)
    data = data_of(samples_at(index * 10 + index // 200 * 2000, trigger=trigger))
    by, folds = choose_test_folds(data)
    with pytest.raises(NotYetError, match=r"this recording holds too little data .* Record more: carry, aim") as raised:
        personalise(data, by, folds, rows=QUICK, runner=TaskRunner())
    assert "no shot to train on" in raised.value.reason


def test_short_boot_beside_a_long_one_is_not_tested_by_itself() -> None:
    by, folds = choose_test_folds(data_of(synthetic_samples(6000, 24), synthetic_samples(300, 1)))
    assert (by, len(folds)) == ("time", 5)


def test_two_long_boots_test_each_other() -> None:
    by, folds = choose_test_folds(data_of(synthetic_samples(6000, 24), synthetic_samples(6000, 24, seed=2)))
    assert (by, len(folds)) == ("session", 2)


def test_model_for_the_blaster_and_that_for_this_program_give_the_same_output(
    models: tuple[PersonalModel, ...],
) -> None:
    for model in models:
        assert encode_mlmd(blaster_model_of(open_model(model.onnx))) == encode_mlmd(model.blaster_model)
