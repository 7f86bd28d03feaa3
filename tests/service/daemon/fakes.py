"""Stand-ins for the parts around the pipeline: a model with a fixed output, a sink that keeps everything, blocks."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from models.choice import ChosenModel
from models.decision_parameters import DecisionParameters
from service.base.events import Event, WheelsSwitched
from service.base.sink import Sink
from service.base.source import Block, LinkCounters, LinkReport, LinkState
from service.base.states import ModelInUse, Stamps
from stinger.device_name import DeviceName
from tests.helpers.samples import samples_at

HOST_S = 1_700_000_000.0


@dataclass
class FakeMeta:
    decision: DecisionParameters


class FakeModel:
    """A model that gives every window the same probability."""

    def __init__(self, value: float = 0.9, decision: DecisionParameters | None = None) -> None:
        self.value = value
        self.meta = FakeMeta(decision or DecisionParameters())
        self.runs: list[int] = []

    def probability(self, windows: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
        self.runs.append(windows.shape[0])
        return np.full(windows.shape[0], self.value, dtype=np.float32)


class BrokenModel(FakeModel):
    """A model that raises for every window."""

    def probability(self, windows: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
        raise RuntimeError(f"out of order, {windows.shape[0]} windows unscored")


def serving(model: FakeModel, version: str = "v1") -> ChosenModel:
    return ChosenModel(cast(Any, model), version)


class KeepingSink(Sink):
    """A sink that keeps everything, and the order of the calls in ``calls``."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.devices: list[str] = []
        self.models: list[ModelInUse] = []
        self.blocks: list[Block] = []
        self.probability: list[npt.NDArray[np.float32]] = []
        self.events: list[Event] = []
        self.event_stamps: list[Stamps | None] = []
        self.reports: list[LinkReport] = []
        self.gaps: list[str] = []
        self.released: list[str] = []

    def on_device(self, device: DeviceName) -> None:
        self.calls.append("device")
        self.devices.append(device)

    def on_release(self, device: DeviceName) -> None:
        self.calls.append("release")
        self.released.append(device)

    def on_model(self, model: ModelInUse) -> None:
        self.calls.append("model")
        self.models.append(model)

    def on_samples(self, block: Block) -> None:
        self.calls.append("samples")
        self.blocks.append(block)

    def on_model_run(self, samples: int, duration_ns: int) -> None:
        self.calls.append("model_run")
        assert samples > 0
        assert duration_ns >= 0

    def on_event(self, event: Event, stamps: Stamps | None) -> None:
        self.calls.append("event")
        self.events.append(event)
        self.event_stamps.append(stamps)

    def on_scores(self, block: Block, probability: npt.NDArray[np.float32], stamps: Stamps) -> None:
        self.calls.append("scores")
        assert block.samples.shape[0] == probability.size
        assert stamps.read_ns == block.read_ns
        self.probability.append(probability)

    def on_link(self, report: LinkReport) -> None:
        self.calls.append("link")
        self.reports.append(report)

    def on_gap(self, device: DeviceName) -> None:
        self.calls.append("gap")
        self.gaps.append(device)

    def switches(self) -> list[bool]:
        """Whether the wheels went on, or off, at each switch."""
        return [event.on for event in self.events if isinstance(event, WheelsSwitched)]


def block(device: str, first: int, count: int, *, boot: int = 0, pull: int | None = None) -> Block:
    """Samples ``first`` to ``first + count`` of a device, 10 ms apart; the trigger goes down with sample ``pull`` of them."""
    times = (first + np.arange(count)) * 10
    trigger = np.zeros(count)
    if pull is not None:
        trigger[pull] = 1
    samples = samples_at(times, trigger=trigger)
    return Block(
        DeviceName(device),
        samples,
        times.astype(np.float64) * 1e6,
        HOST_S,
        time.monotonic_ns(),
        int(HOST_S * 1000) + boot,
        boot,
    )


def report(device: str, state: LinkState) -> LinkReport:
    return LinkReport(DeviceName(device), state, "", LinkCounters(lost=3))
