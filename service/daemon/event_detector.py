"""Detects events in the scored samples of one device: shots, and the switching of its wheels."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from models.decision import Decision, Switch
from models.decision_parameters import DecisionParameters
from service.base.events import Event, FalseSpinUp, Shot, WheelsSwitched, event_id
from service.base.source import Block
from service.daemon.recent_scores import RecentScores
from stinger.device_name import DeviceName
from stinger.units import NS_PER_MS, NS_PER_S

PEAK_MS: Final = 1000
"""A shot's peak probability is the highest of this long before it."""
_SHORT_BLOCK: Final = 48
"""For up to this many samples, deciding one by one is faster than with arrays."""


class EventDetector:
    """Decides on the wheels of one device and finds its shots, block by block.

    ``model`` is the version that events name. Times in ms are on the device's clock, as in its samples; times in ns are
    on the host's monotonic clock, so that no step of its wall clock changes a decision; times in s are Unix time.
    """

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
        self._newest: Block | None = None

    @property
    def wheels_on(self) -> bool:
        """Whether the wheels are on."""
        return self._on_ms is not None

    @property
    def newest(self) -> Block | None:
        """The newest block; ``None`` before the first."""
        return self._newest

    @property
    def trigger(self) -> bool:
        """Whether the trigger is down."""
        return self._trigger

    @property
    def parameters(self) -> DecisionParameters:
        """When wheels go on and off; a change applies from the next sample on."""
        return self._decision.parameters

    @parameters.setter
    def parameters(self, parameters: DecisionParameters) -> None:
        self._decision.parameters = parameters

    @property
    def decision(self) -> Decision:
        """The decision on the wheels of this device."""
        return self._decision

    def push(self, block: Block, probability: npt.NDArray[np.float32]) -> list[Event]:
        """Process the device's next block and its scores ``(n,)``; return the events in it, in order."""
        times = block.samples["timestamp_ms"]
        events = self.restart() if self._last_ms is not None and int(times[0]) < self._last_ms else []
        self._newest = block
        self._recent.add(times, probability)
        events += self._events_of_block(block, probability)
        self._last_ms = int(times[-1])
        return events

    def push_quiet(
        self, block: Block, time_ms: npt.NDArray[np.int64], probability: npt.NDArray[np.float32], last_ms: int
    ) -> None:
        """Process the device's next block, which has no events: :attr:`decision` has processed it, its trigger is up.

        ``time_ms`` and ``probability`` ``(n,)`` are those of its samples, the last at ``last_ms``.
        """
        self._newest = block
        self._recent.add(time_ms, probability)
        self._trigger = False
        self._last_ms = last_ms

    def tick(self, now_ns: int) -> list[Event]:
        """Advance to ``now_ns`` without samples: switch off wheels whose last score is too old, and return the events.

        Its age counts from when its sample arrived: samples that arrive late, as after the process was stopped for a
        while, are no silence.
        """
        if self._last_ms is None or self._newest is None or not self._decision.wheels:
            return []
        age_ms = (now_ns - self._newest.read_ns) / NS_PER_MS
        if age_ms < self._decision.parameters.stale_ms:
            return []  # its successors may only be late: steps made in their place would be made twice
        now_ms = self._last_ms + round(age_ms)
        events: list[Event] = []
        for switch in self._decision.tick(now_ms):
            events += self._switched(switch, self._last_s() + (switch.time_ms - self._last_ms) / 1000)
        return events

    def restart(self) -> list[Event]:
        """Forget all samples, as the link broke or the device booted.

        Return the events of wheels that this switches off.
        """
        events: list[Event] = []
        if self._on_ms is not None and self._last_ms is not None:
            events += self._switched(Switch(self._last_ms, False), self._last_s())
        self._decision = Decision(self._decision.parameters)
        self._recent.clear()
        self._trigger = False
        self._accepted_ms = self._last_ms = None
        return events

    def _events_of_block(self, block: Block, probability: npt.NDArray[np.float32]) -> list[Event]:
        """Return the events of a block. At the same time, a switch comes before a shot, whose lead is then 0."""
        time_ms: list[int] = block.samples["timestamp_ms"].tolist()
        if len(time_ms) <= _SHORT_BLOCK:
            switches = self._decision.switches(time_ms, probability.tolist())
        else:
            switches = self._decision.push(np.array(time_ms), probability).switches
        edges = self._edges(block.samples["trigger"])
        if not switches and not edges:
            return []
        found: list[tuple[int, Switch | None]] = [(switch.time_ms, switch) for switch in switches]
        found += [(time_ms[i], None) for i in edges]
        taken_s = block.taken_s
        events: list[Event] = []
        for at_ms, switch in sorted(found, key=lambda entry: (entry[0], entry[1] is None)):
            host_s = float(np.interp(at_ms, time_ms, taken_s))
            if at_ms < time_ms[0]:  # in the gap before this block
                host_s = float(taken_s[0]) - (time_ms[0] - at_ms) / 1000
            events += [self._shot(at_ms, host_s)] if switch is None else self._switched(switch, host_s)
        return events

    def _edges(self, trigger: npt.NDArray[np.uint8]) -> list[int]:
        """Return the indices of the samples with which the trigger went down."""
        if not trigger.any():
            self._trigger = False
            return []
        pressed = trigger != 0
        # A trigger that is down at a device's very first sample is no edge.
        before = np.concatenate(([self._trigger or self._last_ms is None], pressed[:-1]))
        self._trigger = bool(pressed[-1])
        edges: list[int] = np.flatnonzero(pressed & ~before).tolist()
        return edges

    def _shot(self, at_ms: int, host_s: float) -> Shot:
        accepted = self._accepted_ms is None or at_ms - self._accepted_ms >= self.min_shot_gap_ms
        if accepted:
            self._accepted_ms = at_ms
        on_ms = self._on_ms
        self._with_shot = self._with_shot or on_ms is not None
        return Shot(
            device=self.device,
            device_ms=at_ms,
            host_s=host_s,
            wheels_on=on_ms is not None,
            lead_ms=None if on_ms is None else float(at_ms - on_ms),
            peak_probability=self._recent.peak(at_ms - PEAK_MS, at_ms),
            accepted=accepted,
            model=self.model,
            id=self._id("shot", at_ms),
        )

    def _switched(self, switch: Switch, host_s: float) -> list[Event]:
        probability = self._recent.peak(switch.time_ms, switch.time_ms)
        if switch.on:
            self._on_ms, self._with_shot = switch.time_ms, False
            self._recent.mark(switch.time_ms)
            id_ = self._id("on", switch.time_ms)
            return [WheelsSwitched(self.device, switch.time_ms, host_s, True, probability, self.model, id=id_)]
        on_ms, self._on_ms = self._on_ms, None
        assert on_ms is not None, "wheels went off that were not on"
        peak = self._recent.peak(on_ms, switch.time_ms)
        self._recent.unmark()
        duration_ms = float(switch.time_ms - on_ms)
        ended = WheelsSwitched(
            device=self.device,
            device_ms=switch.time_ms,
            host_s=host_s,
            on=False,
            probability=probability,
            model=self.model,
            with_shot=self._with_shot,
            duration_ms=duration_ms,
            id=self._id("off", switch.time_ms),
        )
        if self._with_shot:
            return [ended]
        started_s = host_s - duration_ms / 1000
        id_ = self._id("false spin-up", on_ms)
        return [ended, FalseSpinUp(self.device, on_ms, started_s, duration_ms, peak, self.model, id=id_)]

    def _last_s(self) -> float:
        """Return when the newest sample was taken, in seconds of Unix time."""
        block = self._newest
        return 0.0 if block is None else float(block.taken_ns[-1]) / NS_PER_S + block.unix_offset_s

    def _id(self, kind: str, device_ms: int) -> str:
        zero_ms = 0 if self._newest is None else self._newest.clock_zero_ms
        return event_id(kind, self.device, zero_ms, device_ms)
