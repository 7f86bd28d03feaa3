"""How well a recording serves to train models.

A score from 0 to 100 and warnings, as on the page of the blaster's makers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.sessions import Session
from models.stream_rows import SampleLabel, StreamOptions, label_samples
from stinger.mlmd import WINDOW_SAMPLES
from stinger.wording import counted

GOOD_SHOTS: Final = 100
GOOD_MINUTES: Final = 5.0
"""With as many shots and minutes or more, a recording has full marks."""

FEWEST_MINUTES: Final = 2.0
FEWEST_SHOTS: Final = 8
ADVISED_SHOTS: Final = 15
FEWEST_WINDOWS: Final = 30


@dataclass(frozen=True, slots=True)
class RecordingQuality:
    """What a recording contains.

    ``positives`` and ``negatives`` are its samples of each class with a complete window.
    """

    minutes: float
    shots: int
    positives: int
    negatives: int

    @property
    def score(self) -> int:
        """0 to 100: half of it for the shots, half for the minutes."""
        return round(50 * min(self.shots / GOOD_SHOTS, 1) + 50 * min(self.minutes / GOOD_MINUTES, 1))

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence for each thing of which there is too little."""
        lines = []
        if self.minutes < FEWEST_MINUTES:
            lines.append(f"{self.minutes:.1f} minutes is short: record {FEWEST_MINUTES:g} minutes or more.")
        if self.shots < FEWEST_SHOTS:
            lines.append(f"{counted(self.shots, 'shot')} is very few: {ADVISED_SHOTS} or more are advised.")
        elif self.shots < ADVISED_SHOTS:
            lines.append(f"{self.shots} shots are few: {ADVISED_SHOTS} or more are advised.")
        if self.positives + self.negatives < FEWEST_WINDOWS:
            lines.append(
                f"{counted(self.positives + self.negatives, 'window')} to train on: at least {FEWEST_WINDOWS} are needed."
            )
        if self.negatives < self.positives:
            lines.append("There is too little movement without shots: carry, aim and wait as well.")
        return tuple(lines)


def quality_of(sessions: Sequence[Session]) -> RecordingQuality:
    """Return the quality of ``sessions`` together."""
    options = StreamOptions()
    count = np.zeros(len(SampleLabel), dtype=np.int64)
    for session in sessions:
        count += np.bincount(label_samples(session, WINDOW_SAMPLES, options), minlength=len(SampleLabel))
    return RecordingQuality(
        minutes=sum(session.recording.recorded_ms for session in sessions) / 60_000,
        shots=sum(session.accepted_shots for session in sessions),
        positives=int(count[SampleLabel.POSITIVE]),
        negatives=int(count[SampleLabel.NEGATIVE]),
    )


def quality_line(quality: RecordingQuality) -> str:
    """Return the score and what it is made of as a line."""
    return (
        f"Data quality: {quality.score} of 100. Full marks are for {GOOD_SHOTS} shots and {GOOD_MINUTES:g} minutes; "
        f"this is {counted(quality.shots, 'shot')} in {quality.minutes:.1f} minutes."
    )
