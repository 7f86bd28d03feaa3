"""Planning the comparison of champion and challengers.

It decides which sessions are held out, and which are used for training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.folds import GUARD_MS, HeldOut, folds_by_time, folds_holding_out
from models.model_meta import ModelMeta
from models.provenance import has_seen, names_its_data
from service.config.retraining import RetrainConfig
from service.retraining.training_data import TrainingData
from stinger.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class ContestPlan:
    """The sessions that models are compared on, and how."""

    test: HeldOut
    method: str
    """A description of the method in a sentence or two, for the report."""


class TooFewShotsError(Exception):
    """There is too little data to compare models on; the text is a sentence for the user."""


def seen_positions(models: Sequence[ModelMeta], data: TrainingData) -> frozenset[int]:
    """Return the positions of those sessions in ``data`` that at least one of ``models`` was trained on."""
    return frozenset(
        position
        for position, item in enumerate(data.items)
        if any(has_seen(model, item.session, item.sha256) for model in models)
    )


def plan_contest(
    data: TrainingData,
    champion: ModelMeta,
    settings: RetrainConfig,
    *,
    seen: frozenset[int],
    rolled_back: Sequence[ModelMeta] = (),
) -> ContestPlan:
    """Plan to hold out whole sessions in turn, or blocks in time if only one session has shots.

    The sessions at the positions ``seen`` (see :func:`seen_positions`) are used for training only: the champion, or one
    of the models ``rolled_back``, was trained on them. If those of a rolled-back model were used for the comparison, a
    model trained on the same data would win again. Raises :class:`TooFewShotsError` if the other sessions have fewer
    than ``settings.min_shots`` accepted shots, or cannot be divided.
    """
    sessions = data.sessions
    unseen = tuple(position for position in range(len(sessions)) if position not in seen)
    _require_shots(data, unseen, settings.min_shots, after_rollback=bool(rolled_back))
    with_shots = sum(session.accepted_shots > 0 for session in sessions)
    try:
        if with_shots > 1:
            train_has_shots = any(sessions[position].accepted_shots for position in seen)
            unseen_with_shots = sum(sessions[position].accepted_shots > 0 for position in unseen)
            # If only unseen sessions have shots, a single fold would leave none to train on.
            count = max(1 if train_has_shots else 2, min(settings.folds, unseen_with_shots))
            folds = folds_holding_out(sessions, unseen, count)
            how = f"Whole sessions were held out, in {len(folds)} turn{'' if len(folds) == 1 else 's'}"
        else:
            folds = folds_by_time(
                sessions, settings.folds, clear_ms=settings.lead_ms + settings.row_options().window_ms
            )
            how = (
                f"Only one session has shots, so {len(folds)} blocks in time were held out, with a guard of "
                f"{GUARD_MS / 1000:g} s"
            )
    except InputError as error:
        raise TooFewShotsError(f"The recordings cannot be divided: {error}.") from error
    method = (
        f"{how}. The champion was scored unchanged on the {len(unseen)} of {len(sessions)} sessions that it was not "
        "trained on; each challenger on the same sessions, trained without them."
    )
    if not names_its_data(champion):
        method += (
            " The champion's file does not name its training data: it is assumed not to have seen any of this data."
        )
    return ContestPlan(HeldOut(sessions, unseen, folds), method)


def _require_shots(data: TrainingData, unseen: Sequence[int], min_shots: int, *, after_rollback: bool) -> None:
    """Raise :class:`TooFewShotsError` if the sessions ``unseen`` have fewer than ``min_shots`` accepted shots."""
    sessions = data.sessions
    shots = sum(sessions[position].accepted_shots for position in unseen)
    if shots >= min_shots:
        return
    used = sum(session.accepted_shots for session in sessions) - shots
    if after_rollback:
        condition = "that neither the champion nor a rolled-back model was trained on"
        others = f", and {used} that one of them was trained on" if len(unseen) < len(sessions) else ""
    else:
        condition = "that the champion was not trained on"
        others = f", and {used} that it was trained on" if len(unseen) < len(sessions) else ""
    raise TooFewShotsError(
        f"There are {shots} accepted shots {condition}{others}; a comparison needs {min_shots} (retrain.min_shots)."
    )
