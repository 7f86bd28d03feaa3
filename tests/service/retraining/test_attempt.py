from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest

from models.factory import factory_model
from models.model_file import load_model
from models.registry import Registry
from models.task_runner import TaskRunner, no_progress_bar
from models.workers import Workers
from service.config.config import Config
from service.config.retraining import RetrainConfig
from service.ops.lock import retraining_lock
from service.retraining.attempt import retrain
from service.retraining.result import Outcome, RetrainingResult
from stinger.errors import FileError, InputError
from stinger.logs import write_log
from tests.helpers.retraining import keep_recording, promote_blind
from tests.helpers.synthetic import synthetic_samples

EASY = replace(RetrainConfig(), candidates=("logreg:summary",), min_shots=20, max_false_per_minute=4.0)


def config(folder: Path, settings: RetrainConfig = EASY) -> Config:
    return replace(Config(), data_dir=folder, retrain=settings)


def attempt(folder: Path, *logs: Path, settings: RetrainConfig = EASY) -> RetrainingResult:
    return retrain(config(folder, settings), [str(path) for path in logs], TaskRunner(Workers(jobs=1)))


def recorded(folder: Path, *seeds: int) -> None:
    for seed in seeds:
        keep_recording(folder, synthetic_samples(6000, 15, seed=seed), hours=seed)


def champion(folder: Path) -> str:
    version = Registry(folder / "registry").champion()
    assert version is not None
    return version.id


def journal(folder: Path) -> list[dict[str, Any]]:
    return [entry for entry in Registry(folder / "registry").journal() if entry["action"] == "retrain"]


@dataclass(frozen=True)
class Promotion:
    """A data folder in which a retraining on two recordings has replaced the champion ``old``."""

    folder: Path
    old: str
    result: RetrainingResult


@pytest.fixture(scope="module")
def promotion(tmp_path_factory: pytest.TempPathFactory) -> Promotion:
    folder = tmp_path_factory.mktemp("promotion")
    old = promote_blind(folder)
    recorded(folder, 1, 2)
    return Promotion(folder, old, attempt(folder))


@pytest.fixture
def promoted(promotion: Promotion, tmp_path: Path) -> Path:
    """A copy of the folder of :func:`promotion`."""
    copytree(promotion.folder, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_better_challenger_becomes_champion_with_its_threshold_and_metrics(
    promotion: Promotion, promoted: Path
) -> None:
    result = promotion.result
    assert result.outcome is Outcome.PROMOTED, result.why
    assert champion(promoted) == result.version
    version = Registry(promoted / "registry").version(str(result.version))
    model = load_model(version.model_path)
    assert result.judged is not None
    assert result.judged.best_challenger is not None
    assert result.judged.best_challenger.within is not None
    assert model.meta.decision == result.judged.best_challenger.within.parameters
    assert model.meta.training["inputs_sha256"] == [item.sha256 for item in result.data.items]
    assert model.meta.metrics["accepted_shots"] == 30
    assert version.blaster_path is not None
    assert [entry["path"] for entry in version.report()["data"]] == [one.path for one in result.data.items]
    assert Registry(promoted / "registry").roll_back(why="").id == promotion.old


def test_journal_and_report_hold_data_and_outcome(promotion: Promotion) -> None:
    result = promotion.result
    (entry,) = journal(promotion.folder)
    assert (entry["outcome"], entry["version"]) == ("promoted", result.version)
    assert [one["sha256"] for one in entry["data"]] == [item.sha256 for item in result.data.items]
    assert entry["options"]["candidates"] == ["logreg:summary"]
    assert entry["metrics"]["logreg:summary"]["accepted_shots"] == 30
    (ruling,) = entry["verdict"]
    assert (ruling["challenger"], ruling["reasons"]) == ("logreg:summary", [])
    assert ruling["within"]["cost"]["high"] < 0
    assert result.folder is not None
    assert result.folder == promotion.folder / "reports" / entry["report"]
    assert sorted(path.name for path in result.folder.iterdir()) == [
        "retraining.json",
        "retraining.md",
        "retraining.png",
    ]
    assert json.loads((result.folder / "retraining.json").read_text())["outcome"] == "promoted"
    page = (result.folder / "retraining.md").read_text()
    assert f"{result.version} is the new champion" in page
    first = page.split("\n\n")[1]
    assert re.match(
        r"logreg:summary replaces the champion 20\S+: of 100 shots, [\d.]+ more in time \([\d.]+ to [\d.]+\); "
        r"[\d.]+ (more|fewer) false spin-ups a minute \(.*\); wheels on .* of the time \(.*\); better with a probability",
        first,
    )
    values = json.loads((result.folder / "retraining.json").read_text())
    assert values["schema"] == 3
    (challenger,) = values["contest"]["challengers"]
    assert set(challenger["held_out"]) == {
        "accepted_shots",
        "minutes",
        "in_time",
        "false_per_minute",
        "duty",
        "cost_per_minute",
    }
    assert "(retraining.png)" in page


def test_first_promotion_can_be_rolled_back_to_the_factory_model_which_stays_without_new_shots(tmp_path: Path) -> None:
    recorded(tmp_path, 1, 2)
    # The factory model was not trained on such motion.
    assert attempt(tmp_path).outcome is Outcome.PROMOTED
    factory = Registry(tmp_path / "registry").roll_back(why="the wheels never rest")
    assert load_model(factory.model_path).sha256 == factory_model().sha256
    again = attempt(tmp_path)
    assert again.outcome is Outcome.NOT_YET
    assert "0 accepted shots that neither the champion nor a rolled-back model was" in again.why[0]
    assert champion(tmp_path) == factory.id
    recorded(tmp_path, 3, 4)
    assert attempt(tmp_path).outcome is Outcome.PROMOTED
    assert Registry(tmp_path / "registry").rolled_back_versions() == []


def test_new_champion_has_seen_everything_so_the_next_retraining_is_not_yet(
    promotion: Promotion, promoted: Path
) -> None:
    second = attempt(promoted)
    assert second.outcome is Outcome.NOT_YET
    assert "There are 0 accepted shots that the champion was not trained on, and 30 that" in second.why[0]
    recorded(promoted, 3)
    third = attempt(promoted, settings=replace(EASY, min_shots=10))
    assert third.outcome is Outcome.KEPT
    assert third.judged is not None
    assert third.judged.contest.held_out == ("b1 2026-01-01 15:00:00",)
    assert champion(promoted) == promotion.result.version


def test_new_champion_has_seen_the_same_samples_in_another_file_by_another_clock(promoted: Path) -> None:
    for path in (promoted / "recordings").rglob("*.*"):
        path.unlink()
    for seed in (1, 2):
        later = synthetic_samples(6000, 15, seed=seed)[500:]
        later["timestamp_ms"] += 3_456_789
        write_log(promoted / f"pulled{seed}.csv", later)
    again = attempt(promoted, promoted / "pulled1.csv", promoted / "pulled2.csv")
    assert again.outcome is Outcome.NOT_YET
    assert "There are 0 accepted shots that the champion was not trained on" in again.why[0]


def test_challenger_that_exceeds_the_limits_is_refused_with_the_reason(tmp_path: Path) -> None:
    old = promote_blind(tmp_path)
    recorded(tmp_path, 1, 2)
    result = attempt(tmp_path, settings=replace(EASY, max_false_per_minute=0.0, max_duty=0.001))
    assert result.outcome is Outcome.KEPT
    assert result.why[-1] == "No threshold within the limits has a shot in time."
    assert champion(tmp_path) == old
    assert len(Registry(tmp_path / "registry").versions()) == 1


def test_too_little_data_is_not_yet_and_in_the_journal(tmp_path: Path) -> None:
    recorded(tmp_path, 1)
    result = attempt(tmp_path, settings=replace(EASY, min_shots=100))
    assert result.outcome is Outcome.NOT_YET
    assert "There are 15 accepted shots that the champion was not trained on" in result.why[0]
    assert [entry["outcome"] for entry in journal(tmp_path)] == ["not yet"]
    assert result.folder is not None
    assert "# Retraining of" in (result.folder / "retraining.md").read_text()


def test_retraining_without_changes_is_not_repeated_and_leaves_no_trace(tmp_path: Path) -> None:
    promote_blind(tmp_path)
    recorded(tmp_path, 1, 2)
    hard = replace(EASY, max_duty=0.001)
    attempt(tmp_path, settings=hard)
    assert attempt(tmp_path, settings=hard).outcome is Outcome.UNCHANGED
    assert len(journal(tmp_path)) == len(list((tmp_path / "reports").iterdir())) == 1
    assert attempt(tmp_path, settings=replace(hard, seed=2)).outcome is Outcome.KEPT


def test_retraining_killed_before_the_promotion_is_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = promote_blind(tmp_path)
    recorded(tmp_path, 1, 2)

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Registry, "promote", killed)
        with pytest.raises(KeyboardInterrupt):
            attempt(tmp_path)
    assert champion(tmp_path) == old
    assert attempt(tmp_path).outcome is Outcome.PROMOTED
    assert champion(tmp_path) != old


def test_model_that_somebody_promotes_meanwhile_stays(tmp_path: Path) -> None:
    promote_blind(tmp_path)
    recorded(tmp_path, 1, 2)
    chosen: list[str] = []

    def promote_at_first_stage_of_training(label: str, length: int) -> AbstractContextManager[Callable[[int], object]]:
        if label == "Building":
            chosen[:] = chosen or [promote_blind(tmp_path)]
        return no_progress_bar(label, length)

    runner = TaskRunner(Workers(jobs=1), promote_at_first_stage_of_training)
    result = retrain(config(tmp_path), [], runner)
    assert result.outcome is Outcome.KEPT
    assert "meanwhile another model became champion" in result.why[0]
    assert champion(tmp_path) == chosen[0]


def test_report_names_a_candidate_that_could_not_be_trained(tmp_path: Path) -> None:
    promote_blind(tmp_path)
    recorded(tmp_path, 1, 2)
    settings = replace(EASY, candidates=("et:summary", "logreg:summary"))
    result = retrain(config(tmp_path, settings), [], TaskRunner(Workers(jobs=1)), model_max_bytes=100_000)
    assert result.outcome is Outcome.PROMOTED, result.why
    assert result.folder is not None
    assert (
        "et:summary does not become champion. It could not be trained: fold 1 of 2: has"
        in (result.folder / "retraining.md").read_text()
    )


def test_report_has_the_reason_why_another_good_challenger_did_not_win(tmp_path: Path) -> None:
    promote_blind(tmp_path)
    recorded(tmp_path, 1, 2)
    result = attempt(tmp_path, settings=replace(EASY, candidates=("logreg:summary", "logreg:flatten")))
    assert result.judged is not None
    assert result.folder is not None
    page = (result.folder / "retraining.md").read_text()
    assert " is better than the champion too, but costs more than the winner." in page


def test_second_retraining_at_the_same_time_is_refused(tmp_path: Path) -> None:
    with retraining_lock(tmp_path), pytest.raises(InputError, match="is being retrained on by another process"):
        attempt(tmp_path)


def test_missing_log_is_an_error_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"none\.bin: No such file"):
        attempt(tmp_path, tmp_path / "none.bin")


def test_unfinished_report_of_a_killed_retraining_is_removed(tmp_path: Path) -> None:
    (tmp_path / "reports" / ".unfinished-20260101T000000.000Z").mkdir(parents=True)
    attempt(tmp_path)
    (folder,) = (tmp_path / "reports").iterdir()
    assert not folder.name.startswith(".")


def test_one_session_with_enough_shots_is_enough(tmp_path: Path) -> None:
    promote_blind(tmp_path)
    keep_recording(tmp_path, synthetic_samples(12_000, 30))
    assert attempt(tmp_path).outcome is Outcome.PROMOTED


def test_session_without_shots_counts_for_false_spin_ups(tmp_path: Path) -> None:
    promote_blind(tmp_path)
    recorded(tmp_path, 1, 2)
    quiet = synthetic_samples(6000, 15, seed=3)
    quiet["trigger"] = 0
    keep_recording(tmp_path, quiet, hours=3)
    result = attempt(tmp_path, settings=replace(EASY, max_false_per_minute=20.0))
    assert result.judged is not None
    assert result.judged.best_challenger is not None
    assert result.judged.best_challenger.sessions[-1].accepted.total == 0
    assert result.judged.best_challenger.sessions[-1].false.count > 0
    assert np.isclose(result.judged.best_challenger.sessions[-1].minutes, 1)


def test_recording_that_has_grown_since_the_champion_was_trained_on_it_is_not_compared_on(tmp_path: Path) -> None:
    promote_blind(tmp_path)
    whole = synthetic_samples(12_000, 30, seed=7)
    path = keep_recording(tmp_path, whole[:6000], hours=7, closed=False)
    recorded(tmp_path, 1)
    first = attempt(tmp_path)
    assert first.outcome is Outcome.PROMOTED
    path.write_bytes(whole.tobytes())
    recorded(tmp_path, 2)
    second = attempt(tmp_path, settings=replace(EASY, min_shots=10))
    assert second.judged is not None
    assert second.judged.contest.held_out == ("b1 2026-01-01 14:00:00",)
    assert max(len(session.recording) for session in second.data.sessions) == 12_000
