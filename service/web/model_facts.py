"""What is known about a model, for its page: kind, threshold, what it was trained on, and how it was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from models.choice import FACTORY
from models.factory import factory_model
from models.model_file import open_model, read_model
from models.model_meta import ModelMeta
from models.registry import Registry
from models.spec import spec_in_words
from service.web.stored_models import false_spin_ups_text, in_time_text

_TRAINING: Final = {
    "rows": "Training windows",
    "positives": "of them before a shot",
    "fitted_on": "Fitted on",
    "seed": "Random seed",
}
_METRICS: Final = {
    "average_precision": "Average precision",
    "roc_auc": "Area under the ROC curve, test rows",
    "pr_auc": "Average precision, test rows",
    "duty": "Time with wheels on when it was measured",
}
_LONGEST: Final = 200


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Names and values for people, and the names of the recordings that the model was trained on."""

    lines: tuple[tuple[str, str], ...]
    sessions: tuple[str, ...]


def model_facts(registry: Registry, name: str) -> ModelFacts:
    """Return what is known about a version, or about the factory model.

    Raises :class:`~stinger.errors.InputError` for any other name.
    """
    if name == FACTORY:
        meta, is_champion, blaster = factory_model().meta, registry.champion() is None, True
    else:
        version = registry.version(name)
        data = read_model(version.model_path)
        version.check_content(data)
        meta, is_champion, blaster = (
            open_model(data).meta,
            registry.champion() == version,
            version.blaster_path is not None,
        )
    lines = [
        ("What it is", spec_in_words(meta.spec)),
        ("Champion", "yes" if is_champion else "no"),
        ("Made", f"{meta.created[:19].replace('T', ' ')} UTC, by {meta.software}"),
        ("On a blaster", "there is a file for it" if blaster else "the blaster cannot run it"),
        ("Threshold", _decision_text(meta)),
        ("Shots in time", in_time_text(meta.metrics)),
        ("False spin-ups", false_spin_ups_text(meta.metrics)),
        *_values(meta.training, _TRAINING),
        *_values(meta.metrics, _METRICS),
    ]
    sessions = meta.training.get("sessions")
    names = [str(one)[:_LONGEST] for one in sessions] if isinstance(sessions, list) else []
    return ModelFacts(tuple((label, text) for label, text in lines if text), tuple(names))


def _decision_text(meta: ModelMeta) -> str:
    decision = meta.decision
    return f"wheels on from {decision.on:.2f}, off below {decision.off:.2f}; attack {decision.attack:g}, release {decision.release:g}"


def _values(values: Mapping[str, Any], names: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(label, _text(values.get(key))) for key, label in names.items()]


def _text(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3f}" if isinstance(value, float) else str(value)[:_LONGEST]
