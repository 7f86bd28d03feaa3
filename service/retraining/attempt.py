"""One retraining, from recordings to a verdict, and to a new champion where there is one."""

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
from models.model_file import load_model
from models.model_meta import ModelMeta
from models.registry import Registry, Version
from models.task_runner import TaskRunner
from service.config.config import Config
from service.ops.lock import sole_retraining
from service.retraining.plan import NotYetError, plan_contest, seen_by
from service.retraining.recordings import Gathered, gather
from service.retraining.result import Judged, Outcome, Retraining
from stinger.errors import FileError, InputError
from stinger.paths import registry_dir

JOURNAL_ACTION: Final = "retrain"

_OTHER_THRESHOLD: Final = (
    "The configuration sets the threshold to {:g}: the daemon goes by that, not by the one that was chosen here"
)


def retrain(config: Config, named: Sequence[str], runner: TaskRunner) -> Retraining:
    """Learn from the recordings below ``config.data_dir`` and the logs ``named``; promote what is better by the rules.

    The report is written, the journal says what was found, and only then does a new champion take over: whoever kills
    this process finds the registry as it was, or with one more whole version. Raises :class:`InputError` if another
    process is at it, and for a named log that cannot be read.
    """
    with sole_retraining(config.data_dir):
        return _Attempt(config, runner).run(named)


class _Attempt:
    """One retraining; only with the lock."""

    def __init__(self, config: Config, runner: TaskRunner) -> None:
        self._config = config
        self._runner = runner
        self._registry = Registry(registry_dir(config.data_dir))

    def run(self, named: Sequence[str]) -> Retraining:
        champion = choose_model(CHAMPION, self._registry)
        # Opened once: each is a model of its own size.
        gone_back_from = self._registry.gone_back_from()
        set_aside = _told_by(gone_back_from)
        found = self._gathered(champion, named, gone_back_from, set_aside)
        before = self._last_with(found.basis)
        if before is not None:
            when = str(before.get("time"))[:16].replace("T", " ")
            why = f"Nothing has changed since {when} UTC: the outcome is still '{before['outcome']}'."
            return replace(found, outcome=Outcome.UNCHANGED, why=(why,))
        try:
            found = self._judged(found, champion, set_aside)
        except NotYetError as error:
            found = replace(found, why=(str(error),))
        return self._promoted(found) if found.outcome is Outcome.PROMOTED else self._noted(found)

    def _gathered(
        self,
        champion: ChosenModel,
        named: Sequence[str],
        gone_back_from: Sequence[Version],
        set_aside: Sequence[ModelMeta],
    ) -> Retraining:
        config = self._config
        gathered = gather(
            config.data_dir,
            named,
            max_hours=config.retrain.max_hours,
            min_shot_gap_ms=config.min_shot_gap_ms,
            bar=self._runner.bar,
        )
        remarks = () if config.threshold is None else (_OTHER_THRESHOLD.format(config.threshold),)
        return Retraining(
            began=datetime.now(UTC),
            outcome=Outcome.NOT_YET,
            why=(),
            config=config,
            gathered=gathered,
            champion=champion.version,
            basis=_basis(config, champion, gathered, [version.id for version in gone_back_from]),
            seen=seen_by([champion.model.meta, *set_aside], gathered),
            remarks=remarks,
        )

    def _last_with(self, basis: str) -> Mapping[str, Any] | None:
        """The journal's last retraining, if it went by the same and its outcome still stands."""
        entries = [entry for entry in self._registry.journal() if entry.get("action") == JOURNAL_ACTION]
        # One that says 'promoted' did not come true if the champion is still the old one.
        if entries and entries[-1].get("basis") == basis and entries[-1].get("outcome") != Outcome.PROMOTED.value:
            return entries[-1]
        return None

    def _judged(self, found: Retraining, champion: ChosenModel, set_aside: Sequence[ModelMeta]) -> Retraining:
        """``found`` with a contest and its verdict. Raises :class:`NotYetError`."""
        settings = found.config.retrain
        plan = plan_contest(found.gathered, champion.model.meta, settings, seen=found.seen, set_aside=set_aside)
        # Imported only now: most rounds end before, and scikit-learn takes a second to load.
        from replay.evaluation.contest import Budget, run_contest  # noqa: PLC0415
        from replay.evaluation.verdict import Rules, judge  # noqa: PLC0415

        contest = run_contest(
            (champion.version, champion.model),
            settings.specs(),
            plan.test,
            settings.export_options(),
            Budget(settings.max_false_per_minute, settings.max_duty),
            runner=self._runner,
        )
        verdict = judge(contest, Rules(settings.margin, settings.session_margin, settings.session_false_margin))
        judged = Judged(plan, contest, verdict)
        outcome = Outcome.KEPT if verdict.winner is None else Outcome.PROMOTED
        return replace(found, outcome=outcome, why=judged.told(), judged=judged)

    def _promoted(self, found: Retraining) -> Retraining:
        """Train the winner on everything, keep it, and make it the champion."""
        from models.graph.export import blaster_file_of  # noqa: PLC0415 - as above
        from service.retraining.report import report_values  # noqa: PLC0415
        from service.retraining.training import train_winner  # noqa: PLC0415

        assert found.judged is not None
        assert found.judged.rival is not None
        winner = found.judged.rival
        try:
            model, remarks = train_winner(found, winner, self._runner)
        except InputError as error:  # such as a forest that is too large only when it has learnt from everything
            why = f"{winner.name} won, but no model came of it: {error}."
            return self._noted(replace(found, outcome=Outcome.KEPT, why=(why,)))
        if choose_model(CHAMPION, self._registry).version != found.champion:
            why = f"{winner.name} won, but meanwhile another model became champion: it is to be compared with that."
            return self._noted(replace(found, outcome=Outcome.KEPT, why=(why,)))
        found = replace(found, remarks=found.remarks + remarks)
        if found.champion == FACTORY:
            self._keep_factory()
        version = self._registry.add(
            winner.name.replace(":", "-"), model.data, report_values(found), blaster_model=blaster_file_of(model)
        )
        found = self._noted(replace(found, version=version.id))
        self._registry.promote(version.id, why=f"retraining: {found.why[0]}")
        return found

    def _keep_factory(self) -> None:
        """Have something to roll back to: the model that comes with the program becomes the first champion."""
        version = self._registry.add(FACTORY, factory_model().data, {"added_from": "the program"})
        self._registry.promote(version.id, why="it served before the first retraining")

    def _noted(self, found: Retraining) -> Retraining:
        """Write the report, then the journal's entry."""
        from service.retraining.filing import write_report  # noqa: PLC0415 - as above
        from service.retraining.report import journal_values  # noqa: PLC0415

        found = replace(found, folder=write_report(found))
        self._registry.note(JOURNAL_ACTION, journal_values(found))
        return found


def _told_by(versions: Sequence[Version]) -> list[ModelMeta]:
    """What the models of ``versions`` say of themselves."""
    found = []
    for left in versions:
        with suppress(FileError):  # one that cannot be opened any more will not come again either
            found.append(load_model(left.model_path).meta)
    return found


def _basis(config: Config, champion: ChosenModel, gathered: Gathered, gone_back_from: Sequence[str]) -> str:
    """A hash of all that the outcome depends on."""
    values = [
        version("stinger-ml"),
        champion.version,
        asdict(config.retrain),
        config.min_shot_gap_ms,
        sorted({source.sha256 for source in gathered.sources}),
        *gone_back_from,
    ]
    return sha256(json.dumps(values).encode()).hexdigest()
