"""What becomes of one device's scored samples: the wheels, the shots, and the events that tell of both."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from models.decision import Decision, DecisionParameters, Switch
from service.base.events import Event, FalseSpinUp, Shot, WheelsSwitched
from service.daemon.recent_scores import RecentScores
from stinger.device_name import DeviceName
from stinger.sample import SampleArray

PEAK_MS: Final = 1000
"""A shot's peak probability is the highest in so long before it."""


class EventDetector:
    """The state of one device between its blocks. Times are ms since the device's boot, as its samples carry them."""

    def __init__(
        self, device: DeviceName, model: str, parameters: DecisionParameters, *, min_shot_gap_ms: float
    ) -> None:
        self.device = device
        self.model = model
        self.min_shot_gap_ms = min_shot_gap_ms
        self._decision = Decision(parameters)
        self._recent = RecentScores()
        self._trigger = False
        self._accepted_ms: int | None = None
        self._on_ms: int | None = None
        self._with_shot = False
        self._last_ms: int | None = None
        self._last_s = 0.0
        self.probability: float | None = None
        """The newest output; ``None`` if the last sample had none."""

    @property
    def wheels_on(self) -> bool:
        """Whether the wheels are on."""
        return self._on_ms is not None

    @property
    def parameters(self) -> DecisionParameters:
        """When wheels go on and off; setting it counts from the next sample on."""
        return self._decision.parameters

    @parameters.setter
    def parameters(self, parameters: DecisionParameters) -> None:
        self._decision.parameters = parameters

    def push(
        self, samples: SampleArray, taken_s: npt.NDArray[np.float64], probability: npt.NDArray[np.float32]
    ) -> list[Event]:
        """Take samples ``(n,)``, n >= 1, when they were taken (Unix time), and their scores; return what happened, in order."""
        times = samples["timestamp_ms"]
        last_ms, last_s, newest = int(times[-1]), float(taken_s[-1]), float(probability[-1])
        events = self.restart() if self._last_ms is not None and int(times[0]) < self._last_ms else []
        self._recent.remember(times, probability)
        if samples.shape[0] == 1:  # live: without NumPy's price for arrays
            switches, pressed = self._decision.step(last_ms, newest), bool(samples["trigger"][0])
            for switch in switches:
                events += self._switched(switch, last_s - (last_ms - switch.time_ms) / 1000)
            if pressed and not (self._trigger or self._last_ms is None):
                events.append(self._shot(last_ms, last_s))
            self._trigger = pressed
        else:
            events += self._in_block(samples, taken_s, probability)
        self._last_ms, self._last_s = last_ms, last_s
        self.probability = newest if newest == newest else None  # noqa: PLR0124 - a NaN alone differs from itself
        return events

    def tick(self, now_s: float) -> list[Event]:
        """Let time pass, in which nothing came, until ``now_s`` (Unix time): wheels go off once an output is too old."""
        if self._last_ms is None or not self._decision.wheels:
            return []
        if (now_s - self._last_s) * 1000 < self._decision.parameters.stale_ms / 2:
            return []  # not worth a look yet
        now_ms = self._last_ms + round((now_s - self._last_s) * 1000)
        events: list[Event] = []
        for switch in self._decision.tick(now_ms):
            events += self._switched(switch, self._last_s + (switch.time_ms - self._last_ms) / 1000)
        return events

    def restart(self) -> list[Event]:
        """Forget what was before, as the link broke or the device booted: wheels that were on go off."""
        events: list[Event] = []
        if self._on_ms is not None and self._last_ms is not None:
            events += self._switched(Switch(self._last_ms, False), self._last_s)
        self._decision = Decision(self._decision.parameters)
        self._recent.clear()
        self._trigger = False
        self._accepted_ms = self._last_ms = self.probability = None
        return events

    def _in_block(
        self, samples: SampleArray, taken_s: npt.NDArray[np.float64], probability: npt.NDArray[np.float32]
    ) -> list[Event]:
        """What happened in a block: switches and shots, a switch before a shot of the same moment, whose lead is then 0."""
        time_ms = samples["timestamp_ms"].astype(np.int64)
        switches = self._decision.push(time_ms, probability).switches
        happened: list[tuple[int, Switch | None]] = [(switch.time_ms, switch) for switch in switches]
        happened += [(int(time_ms[i]), None) for i in self._edges(samples["trigger"])]
        events: list[Event] = []
        for moment_ms, switch in sorted(happened, key=lambda entry: (entry[0], entry[1] is None)):
            host_s = float(np.interp(moment_ms, time_ms, taken_s))
            if moment_ms < time_ms[0]:  # in the gap before this block
                host_s = float(taken_s[0]) - (int(time_ms[0]) - moment_ms) / 1000
            events += [self._shot(moment_ms, host_s)] if switch is None else self._switched(switch, host_s)
        return events

    def _edges(self, trigger: npt.NDArray[np.uint8]) -> list[int]:
        """The samples with which the trigger went down."""
        if not trigger.any():
            self._trigger = False
            return []
        pressed = trigger != 0
        # A trigger that is down at a device's very first sample is no edge.
        before = np.concatenate(([self._trigger or self._last_ms is None], pressed[:-1]))
        self._trigger = bool(pressed[-1])
        edges: list[int] = np.flatnonzero(pressed & ~before).tolist()
        return edges

    def _shot(self, moment_ms: int, host_s: float) -> Shot:
        accepted = self._accepted_ms is None or moment_ms - self._accepted_ms >= self.min_shot_gap_ms
        if accepted:
            self._accepted_ms = moment_ms
        on_ms = self._on_ms
        self._with_shot = self._with_shot or on_ms is not None
        return Shot(
            device=self.device,
            device_ms=moment_ms,
            host_s=host_s,
            wheels_on=on_ms is not None,
            lead_ms=None if on_ms is None else float(moment_ms - on_ms),
            peak_probability=self._recent.peak(moment_ms - PEAK_MS, moment_ms),
            accepted=accepted,
            model=self.model,
        )

    def _switched(self, switch: Switch, host_s: float) -> list[Event]:
        probability = self._recent.peak(switch.time_ms, switch.time_ms)
        if switch.on:
            self._on_ms, self._with_shot = switch.time_ms, False
            self._recent.mark(switch.time_ms)
            return [WheelsSwitched(self.device, switch.time_ms, host_s, True, probability, self.model)]
        on_ms, self._on_ms = self._on_ms, None
        assert on_ms is not None, "wheels went off that were not on"
        duration_ms = float(switch.time_ms - on_ms)
        ended = WheelsSwitched(
            self.device, switch.time_ms, host_s, False, probability, self.model, self._with_shot, duration_ms
        )
        if self._with_shot:
            return [ended]
        peak = self._recent.peak(on_ms, switch.time_ms)
        started_s = host_s - duration_ms / 1000
        return [ended, FalseSpinUp(self.device, on_ms, started_s, duration_ms, peak, self.model)]
