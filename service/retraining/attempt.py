"""One retraining, from reading recordings to the verdict and, if a challenger wins, its promotion."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from typing import Any, Final

from models.choice import CHAMPION, FACTORY, ChosenModel, choose_model
from models.factory import factory_model
from models.model_file import MODEL_MAX_BYTES, load_model
from models.model_meta import ModelMeta
from models.names import version_name
from models.shared_registry import open_current_registry
from models.task_runner import TaskRunner
from models.trial import check_speed, try_model
from models.version import Version
from service.config.config import Config
from service.ops.lock import retraining_lock
from service.retraining.contest_plan import TooFewShotsError, plan_contest, seen_positions
from service.retraining.result import JudgedContest, Outcome, RetrainingResult
from service.retraining.training_data import TrainingData, read_training_data
from stinger.errors import FileError, InputError
from stinger.private_files import private_folder

JOURNAL_ACTION: Final = "retrain"

_THRESHOLD_OVERRIDDEN: Final = (
    "The configuration sets the threshold to {:g}: the daemon uses it, not the threshold that was chosen here"
)


def retrain(
    config: Config, logs: Sequence[str], runner: TaskRunner, *, model_max_bytes: int = MODEL_MAX_BYTES
) -> RetrainingResult:
    """Train on the daemon's recordings and on ``logs``, and promote a challenger that is better.

    The recordings are those below ``config.data_dir``, or, with ``config.recordings``, those in shared storage. First
    the report is written, then the entry in the journal, and only then a new champion is promoted: if the process is
    killed at any moment, the registry is as before, or has one more complete version. Raises :class:`InputError` if
    another process is retraining on this folder, and for a file of ``logs`` that cannot be read.
    """
    with private_folder(config.data_dir, group=config.group_readable), retraining_lock(config.data_dir):
        return _Attempt(config, runner, model_max_bytes).run(logs)


def readable_metas(versions: Sequence[Version]) -> list[ModelMeta]:
    """Return the metadata of those of ``versions`` whose files can be opened.

    One that cannot be opened any more will not become champion again either.
    """
    metas = []
    for one in versions:
        with suppress(FileError):
            metas.append(load_model(one.model_path).meta)
    return metas


class _Attempt:
    """One retraining; the caller holds the lock."""

    def __init__(self, config: Config, runner: TaskRunner, model_max_bytes: int) -> None:
        self._config = config
        self._runner = runner
        self._model_max_bytes = model_max_bytes
        self._registry = open_current_registry(config.data_dir, config.registry)

    def run(self, logs: Sequence[str]) -> RetrainingResult:
        champion = choose_model(CHAMPION, self._registry)
        # Each model file is opened once: it may be large.
        rolled_back_versions = self._registry.rolled_back_versions()
        rolled_back = readable_metas(rolled_back_versions)
        result = self._read(champion, logs, rolled_back_versions, rolled_back)
        before = self._last_entry_for(result.inputs_hash)
        if before is not None:
            when = str(before.get("time"))[:16].replace("T", " ")
            why = f"Nothing has changed since {when} UTC: the outcome is still '{before['outcome']}'."
            return replace(result, outcome=Outcome.UNCHANGED, why=(why,))
        try:
            result = self._compare(result, champion, rolled_back)
        except TooFewShotsError as error:
            result = replace(result, why=(str(error),))
        return self._promote(result) if result.outcome is Outcome.PROMOTED else self._record(result)

    def _read(
        self,
        champion: ChosenModel,
        logs: Sequence[str],
        rolled_back_versions: Sequence[Version],
        rolled_back: Sequence[ModelMeta],
    ) -> RetrainingResult:
        """Return a result with all inputs, whose outcome is still open: NOT_YET."""
        config = self._config
        data = read_training_data(
            config.data_dir,
            logs,
            max_hours=config.retrain.max_hours,
            min_shot_gap_ms=config.min_shot_gap_ms,
            bar=self._runner.bar,
            shared=config.recordings,
        )
        return RetrainingResult(
            started=datetime.now(UTC),
            outcome=Outcome.NOT_YET,
            why=(),
            config=config,
            data=data,
            champion=champion.version,
            inputs_hash=_hash_of_inputs(config, champion, data, [version.id for version in rolled_back_versions]),
            seen=seen_positions([champion.model.meta, *rolled_back], data),
            warnings=() if config.threshold is None else (_THRESHOLD_OVERRIDDEN.format(config.threshold),),
        )

    def _last_entry_for(self, inputs_hash: str) -> Mapping[str, Any] | None:
        """Return the journal's last retraining if it had the same inputs and its outcome still holds."""
        entries = [entry for entry in self._registry.journal() if entry.get("action") == JOURNAL_ACTION]
        # If the last one is 'promoted' with the same champion as now, it was killed before the promotion.
        if entries and entries[-1].get("basis") == inputs_hash and entries[-1].get("outcome") != Outcome.PROMOTED.value:
            return entries[-1]
        return None

    def _compare(
        self, result: RetrainingResult, champion: ChosenModel, rolled_back: Sequence[ModelMeta]
    ) -> RetrainingResult:
        """Return ``result`` with a contest and its verdict. Raises :class:`TooFewShotsError`."""
        settings = result.config.retrain
        plan = plan_contest(result.data, champion.model.meta, settings, seen=result.seen, rolled_back=rolled_back)
        # Imported only now: scikit-learn takes a second to load, and most retrainings end before this.
        from replay.evaluation.contest import run_contest  # noqa: PLC0415
        from replay.evaluation.verdict import judge  # noqa: PLC0415
        from service.retraining.rules import rules_of  # noqa: PLC0415

        rules = rules_of(settings)
        contest = run_contest(
            (champion.version, champion.model),
            settings.specs(),
            plan.test,
            settings.row_options(),
            rules.budget,
            weights=rules.weights,
            runner=self._runner,
            model_max_bytes=self._model_max_bytes,
        )
        verdict = judge(contest, rules)
        judged = JudgedContest(plan, contest, verdict)
        outcome = Outcome.KEPT if verdict.winner is None else Outcome.PROMOTED
        return replace(result, outcome=outcome, why=judged.summary(), judged=judged)

    def _promote(self, result: RetrainingResult) -> RetrainingResult:
        """Train the winner on all data, add it to the registry, and make it the champion."""
        from models.graph.export import blaster_file_of  # noqa: PLC0415
        from service.retraining.report_values import report_values  # noqa: PLC0415
        from service.retraining.winner import train_winner  # noqa: PLC0415 - loads scikit-learn

        assert result.judged is not None
        assert result.judged.best_challenger is not None
        winner = result.judged.best_challenger
        try:
            model, warnings = train_winner(result, winner, self._runner)
            us_per_sample = try_model(model.data).us_per_sample
            check_speed(us_per_sample)
        except InputError as error:  # such as a forest that is too large only when trained on all data
            why = f"{winner.name} won, but cannot be used when trained on all data: the model {error}."
            return self._record(replace(result, outcome=Outcome.KEPT, why=(why,)))
        if choose_model(CHAMPION, self._registry).version != result.champion:
            why = (
                f"{winner.name} won, but meanwhile another model became champion: the next retraining compares with that "
                "one."
            )
            return self._record(replace(result, outcome=Outcome.KEPT, why=(why,)))
        result = replace(result, warnings=result.warnings + warnings)
        before = result.champion
        if before == FACTORY:
            before = self._add_factory_model()
        added = self._registry.add(
            version_name(winner.name),
            model.data,
            report_values(result),
            blaster_model=blaster_file_of(model),
            us_per_sample=us_per_sample,
        )
        result = self._record(replace(result, version=added.id))
        self._registry.promote(added.id, why=f"retraining: {result.why[0]}", instead_of=before)
        return result

    def _add_factory_model(self) -> str:
        """Make the model that comes with the program the first champion, so that there is one to roll back to.

        Returns its version.
        """
        added = self._registry.add(FACTORY, factory_model().data, {"added_from": "the program"})
        self._registry.promote(added.id, why="in use before the first retraining")
        return added.id

    def _record(self, result: RetrainingResult) -> RetrainingResult:
        """Write the report, then the journal's entry."""
        from service.retraining.report_files import write_report  # noqa: PLC0415 - loads scikit-learn
        from service.retraining.report_values import journal_values  # noqa: PLC0415

        result = replace(result, folder=write_report(result))
        self._registry.note(JOURNAL_ACTION, journal_values(result))
        return result


def _hash_of_inputs(config: Config, champion: ChosenModel, data: TrainingData, rolled_back: Sequence[str]) -> str:
    """Return a hash of everything that the outcome depends on."""
    values = [
        version("stinger-ml"),
        champion.version,
        asdict(config.retrain),
        config.min_shot_gap_ms,
        sorted({item.sha256 for item in data.items}),
        *rolled_back,
    ]
    marked = {item.sha256: [marks.to_json() for marks in item.marks] for item in data.items if item.marks}
    if marked:
        values.append(marked)
    return sha256(json.dumps(values).encode()).hexdigest()
