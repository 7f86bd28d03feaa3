"""How much of what a training needs is in the data folder: new shots, minutes, and movement without shots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from models.choice import CHAMPION, choose_model
from models.shared_registry import open_current_registry
from service.config.config import Config
from service.round_trip.recording_quality import GOOD_MINUTES, quality_of
from stinger.errors import InputError
from stinger.packages import install_command
from stinger.sample import SAMPLE_RATE_HZ

_SAMPLES_PER_MINUTE: Final = 60 * SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class Need:
    """Something that a training needs, how much of it there is, and how much is enough."""

    name: str
    have: float
    enough: float
    unit: str
    advice: str
    """What to do to get more of it."""
    digits: int = 0

    @property
    def met(self) -> bool:
        """Whether there is enough. Where nothing is needed yet, because there are no shots, nothing is not enough."""
        return 0 < self.have >= self.enough

    @property
    def part(self) -> float:
        """Fraction of what is needed that is there: 0 to 1."""
        if self.met:
            return 1.0
        return self.have / self.enough if self.enough else 0.0

    @property
    def text(self) -> str:
        """How much there is, and what is missing."""
        have = f"{self.have:,.{self.digits}f} of {self.enough:,.{self.digits}f} {self.unit}"
        return f"{have}: enough" if self.met else f"{have}. {self.advice}"


@dataclass(frozen=True, slots=True)
class TrainingNeeds:
    """What a training needs, and warnings about the recordings, a line each."""

    needs: tuple[Need, ...]
    warnings: tuple[str, ...]

    @property
    def met(self) -> bool:
        """Whether there is enough of everything."""
        return all(need.met for need in self.needs)


def training_needs(config: Config) -> TrainingNeeds:
    """Return what ``stinger retrain`` with ``config`` would find, also in shared storage.

    Reads all recordings: not for an event loop.

    Raises the errors of :mod:`stinger.errors` for a registry or a folder that cannot be read, and :class:`InputError`
    without the packages for training.
    """
    try:  # imported here, because the page is useful without these packages as well
        from models.task_runner import no_progress_bar  # noqa: PLC0415
        from service.retraining.attempt import readable_metas  # noqa: PLC0415
        from service.retraining.contest_plan import seen_positions  # noqa: PLC0415
        from service.retraining.training_data import read_training_data  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise InputError(f"training needs the package {error.name}: run {install_command('train')}") from error
    registry = open_current_registry(config.data_dir, config.registry)
    data = read_training_data(
        config.data_dir,
        (),
        max_hours=config.retrain.max_hours,
        min_shot_gap_ms=config.min_shot_gap_ms,
        bar=no_progress_bar,
        shared=config.recordings,
    )
    champion = choose_model(CHAMPION, registry).model.meta
    seen = seen_positions([champion, *readable_metas(registry.rolled_back_versions())], data)
    new_shots = sum(session.accepted_shots for position, session in enumerate(data.sessions) if position not in seen)
    quality = quality_of(data.sessions)
    return TrainingNeeds(
        (
            Need(
                "New shots",
                new_shots,
                config.retrain.min_shots,
                "shots",
                "Shoot more: models are compared on shots that the present one has not learned from.",
            ),
            Need(
                "Recorded time", quality.minutes, GOOD_MINUTES, "minutes", "Play for longer while it records.", digits=1
            ),
            Need(
                "Movement without shots",
                quality.negatives / _SAMPLES_PER_MINUTE,
                quality.positives / _SAMPLES_PER_MINUTE,
                "minutes",
                "Carry, aim and wait as well as shoot.",
                digits=1,
            ),
        ),
        data.warnings,
    )
