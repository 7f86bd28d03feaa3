"""Which recordings the champion and its challengers are compared on, and what is learnt from meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.folds import GUARD_MS, HeldOut, folds_by_time, folds_holding_out
from models.model_meta import ModelMeta
from models.provenance import has_seen, names_its_data
from service.config.retraining import RetrainConfig
from service.retraining.recordings import Gathered
from stinger.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """``test`` is what models will be compared on; ``method`` says how, a sentence or two for the report."""

    test: HeldOut
    method: str


class NotYetError(Exception):
    """There are too few data to judge a challenger by; the text is a sentence that says so."""


def seen_by(models: Sequence[ModelMeta], gathered: Gathered) -> frozenset[int]:
    """The positions of the sources that one of ``models`` says it was trained on."""
    return frozenset(
        i
        for i, source in enumerate(gathered.sources)
        if any(has_seen(model, source.session.recording, source.sha256) for model in models)
    )


def plan_contest(
    gathered: Gathered,
    champion: ModelMeta,
    settings: RetrainConfig,
    *,
    seen: frozenset[int],
    set_aside: Sequence[ModelMeta] = (),
) -> Plan:
    """Hold out what the champion was not trained on: whole sessions in turn, or blocks in time where one alone has shots.

    What the champion was trained on is only learnt from: it has no say in the comparison. Neither has what a model was
    trained on that somebody has gone back from (``set_aside``): on that, it would win again. ``seen`` is what
    :func:`seen_by` says of both. Raises :class:`NotYetError` where fewer than ``settings.min_shots`` accepted shots are
    left to compare on.
    """
    sessions = gathered.sessions
    fresh = tuple(i for i in range(len(sessions)) if i not in seen)
    shots = sum(sessions[i].accepted_shots for i in fresh)
    if shots < settings.min_shots:
        every = sum(session.accepted_shots for session in sessions)
        whose = "that the champion was not trained on"
        known = f", and {every - shots} that it was trained on" if seen else ""
        if set_aside:
            whose = "that neither the champion nor a model that was gone back from was trained on"
            known = f", and {every - shots} that one of them was" if seen else ""
        raise NotYetError(
            f"There are {shots} accepted shots {whose}{known}; it takes {settings.min_shots} to judge by (retrain.min_shots)."
        )
    with_shots = sum(session.accepted_shots > 0 for session in sessions)
    try:
        if with_shots > 1:
            learnt_from = any(sessions[i].accepted_shots for i in seen)
            fresh_with_shots = sum(sessions[i].accepted_shots > 0 for i in fresh)
            # Where nothing but fresh sessions have shots, a single fold would leave none to learn from.
            count = max(1 if learnt_from else 2, min(settings.folds, fresh_with_shots))
            folds = folds_holding_out(sessions, fresh, count)
            how = f"whole sessions held out, in {len(folds)} turn{'' if len(folds) == 1 else 's'}"
        else:
            folds = folds_by_time(
                sessions, settings.folds, clear_ms=settings.lead_ms + settings.export_options().window_ms
            )
            how = f"only one session has shots: {len(folds)} blocks in time, with a guard of {GUARD_MS / 1000:g} s"
    except InputError as error:
        raise NotYetError(f"The recordings cannot be divided: {error}.") from error
    unknown = (
        ""
        if names_its_data(champion)
        else (" The champion's file does not say what it was trained on: it is taken as having seen none of this.")
    )
    method = (
        f"{how[0].upper()}{how[1:]}. The champion was scored as it is, on the {len(fresh)} of {len(sessions)} sessions that it "
        f"was not trained on; each challenger on the same ones, trained without them.{unknown}"
    )
    return Plan(HeldOut(sessions, fresh, folds), method)
