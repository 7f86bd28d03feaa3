"""Finds the events of the last samples of a recording again.

They were lost if the daemon was killed with ``kill -9``. The daemon records a sample before it scores it, and writes
the events of one turn of the event loop to the outbox at the end of the turn. So a killed daemon may have recorded
samples whose events are neither published nor in the outbox.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from models.choice import ChosenModel
from models.decision_parameters import DecisionParameters
from models.scorer import Scorer
from service.base.events import Event, FalseSpinUp
from service.base.source import Block
from service.daemon.event_detector import EventDetector
from stinger.device_name import DeviceName
from stinger.recording import split_recordings
from stinger.sample import SampleArray
from stinger.units import NS_PER_MS

TAIL_SAMPLES: Final = 4096
"""So many of the last samples are searched for events: the most that a source delivers in one turn of the event loop."""
WARM_UP_SAMPLES: Final = 2000
"""So many samples before them are scored as well, to bring window, envelope and wheels into the state that they had."""


def events_at_end(
    samples: SampleArray,
    device: DeviceName,
    clock_zero_ms: int,
    serving: ChosenModel,
    parameters: DecisionParameters,
    *,
    min_shot_gap_ms: float,
) -> list[Event]:
    """Return the events of the last samples of one boot, with the ids that they had.

    Wheels that are on at the end go off with the last sample, as when a link is lost; that is no false spin-up.
    """
    detector = EventDetector(device, serving.version, parameters, min_shot_gap_ms=min_shot_gap_ms)
    scorer = Scorer(serving.model)
    events: list[Event] = []
    for recording in split_recordings(samples[-TAIL_SAMPLES - WARM_UP_SAMPLES :]):
        part = recording.samples
        probability = scorer.push(device, part).probability
        if recording.rate.problem is not None:
            probability = np.full(part.size, np.nan, dtype=np.float32)
        taken_ns = part["timestamp_ms"].astype(np.float64) * NS_PER_MS
        events += detector.push(Block(device, part, taken_ns, clock_zero_ms / 1000, 0, clock_zero_ms), probability)
    events += [event for event in detector.restart() if not isinstance(event, FalseSpinUp)]
    first_ms = int(samples["timestamp_ms"][-TAIL_SAMPLES:][0])
    return [event for event in events if _found_ms(event) >= first_ms]


def _found_ms(event: Event) -> float:
    """Return the device's time at which ``event`` was detected: a false spin-up at its end."""
    return event.device_ms + event.duration_ms if isinstance(event, FalseSpinUp) else event.device_ms
