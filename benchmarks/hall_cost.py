"""Processor time that a message of 20 samples costs the daemon, by stage.

A hall of blasters, without broker and sockets. The stages of the daemon run in this process: source, flow, model,
decisions, recording, metrics and telemetry. Messages arrive in bursts: all that the devices send within 10 ms. What is
published is built and then dropped. Only the processor time of this thread counts, so that other programs hardly change
the result. To compare two versions, run this script in turn from a checkout of each.

Run: python -m benchmarks.hall_cost [devices] [seconds of the devices' time] [profile]. With "profile", cProfile's
listing follows.
"""

from __future__ import annotations

import asyncio
import cProfile
import pstats
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, nullcontext
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.choice import FACTORY, ChosenModel
from models.factory import factory_model
from models.synthetic import synthesise
from service.base.source import Block, LinkReport
from service.daemon.flow import Flow
from service.daemon.pipeline import Pipeline
from service.daemon.sinks import MetricsSink, MqttSink
from service.daemon.telemetry import TelemetrySink
from service.mqtt.outbox import Outbox
from service.mqtt.publisher import Publisher
from service.ops.metrics import Metrics
from service.recording.pacing import PacedRecorder
from service.recording.recorder import Recorder
from service.sources.mqtt_devices import ReceivedMessage
from service.sources.mqtt_source import MqttSource
from stinger.wire.sample_messages import SampleMessage, encode_message

SAMPLES = 20
PERIOD_MS = SAMPLES * 10
BURST_MS = 10
WARM_PERIODS = 5
"""The first second is not measured: files are created, windows are filled."""


class Bursts:
    """Messages for the source, one burst at a time."""

    def __init__(self) -> None:
        self._waiting: list[ReceivedMessage] = []
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()

    async def deliver(self, burst: list[ReceivedMessage]) -> None:
        """Have the source process ``burst``."""
        self._waiting = burst[::-1]
        self._drained.clear()
        self._filled.set()
        await self._drained.wait()

    @asynccontextmanager
    async def subscribe(self) -> AsyncIterator[AsyncIterator[ReceivedMessage]]:
        """Stand for a subscription at a broker."""
        yield self

    def __aiter__(self) -> AsyncIterator[ReceivedMessage]:
        return self

    async def __anext__(self) -> ReceivedMessage:
        while not self._waiting:
            self._filled.clear()
            self._drained.set()
            await self._filled.wait()
        return self._waiting.pop()


class Collecting:
    """An intake that keeps blocks until they are passed on to the flow, to measure the source alone."""

    def __init__(self, flow: Flow) -> None:
        self.blocks: list[Block] = []
        self._flow = flow

    async def put(self, block: Block) -> None:
        """See :class:`service.base.source.Intake`."""
        self.blocks.append(block)

    def link(self, report: LinkReport) -> None:
        """See :class:`service.base.source.Intake`."""
        self._flow.link(report)


class Stopwatch:
    """Processor time of this thread by stage, in seconds."""

    def __init__(self) -> None:
        self.taken: dict[str, float] = {}
        self._at = time.thread_time()

    def lap(self, stage: str | None) -> None:
        """Add the time since the last call to ``stage``."""
        now = time.thread_time()
        if stage is not None:
            self.taken[stage] = self.taken.get(stage, 0.0) + now - self._at
        self._at = now


class TimedModel:
    """A model that counts the processor time of its runs, in seconds."""

    def __init__(self) -> None:
        self._model = factory_model()
        self.meta = self._model.meta
        self.taken = 0.0

    def probability(self, windows: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
        """See :class:`models.model_file.Model`."""
        began = time.thread_time()
        result = self._model.probability(windows)
        self.taken += time.thread_time() - began
        return result


class Hall:
    """The parts of a daemon, and the devices that publish to it."""

    def __init__(self, stack: ExitStack, devices: int, folder: Path) -> None:
        self.model = TimedModel()
        pipeline = Pipeline(ChosenModel(self.model, FACTORY), min_shot_gap_ms=1000)  # type: ignore[arg-type]
        self.flow = Flow(pipeline)
        outbox = Outbox(folder / "outbox.sqlite3", limit=100_000, defer=asyncio.get_running_loop().call_soon)
        publisher = Publisher(stack.enter_context(outbox))
        self.mqtt_sink = MqttSink(publisher, version="0", publish_scores=False, home_assistant=False)
        self.figures = TelemetrySink()
        recorder = Recorder(folder / "recordings", keep_free_bytes=0)
        stack.callback(recorder.close)
        self.pacing = PacedRecorder(recorder, self.flow.call_later)
        stack.callback(self.pacing.close)
        for sink in (self.pacing, self.mqtt_sink, MetricsSink(Metrics()), self.figures):
            pipeline.subscribe(sink)
        self.bursts = Bursts()
        self.intake = Collecting(self.flow)
        # A device is never silent: time passes faster here than for the devices.
        self.source = MqttSource("mqtt:", self.bursts.subscribe, silence_s=1e9)
        self.topics = [f"stinger/b{device}/samples" for device in range(devices)]
        self.start_ns = time.monotonic_ns()

    async def play(self, period: int, message: bytes, watch: Stopwatch) -> None:
        """Have each device publish ``message`` within a period."""
        count = len(self.topics)
        per_burst = max(1, count * BURST_MS // PERIOD_MS)
        for first in range(0, count, per_burst):
            read_ns = self.start_ns + (period * count + first) * PERIOD_MS * 1_000_000 // count
            burst = [ReceivedMessage(topic, message, read_ns) for topic in self.topics[first : first + per_burst]]
            watch.lap(None)
            await self.bursts.deliver(burst)
            watch.lap("source")
            for block in self.intake.blocks:
                await self.flow.put(block)
            self.intake.blocks.clear()
            self.flow.score_queued()
            watch.lap("scoring")
            await asyncio.sleep(0)
            watch.lap("outbox")
        if (period + 1) * PERIOD_MS % 1000 == 0:
            self.mqtt_sink.publish_telemetry(self.figures.take(time.time()))
            watch.lap("telemetry")


def encoded(periods: int) -> list[bytes]:
    samples = synthesise(minutes=periods * PERIOD_MS / 60_000 + 0.1, seed=1, still_pause=False).copy()
    samples["timestamp_ms"] = np.arange(samples.size) * 10 + 1000
    return [encode_message(SampleMessage(i, samples[i : i + SAMPLES])) for i in range(0, periods * SAMPLES, SAMPLES)]


async def measure(devices: int, periods: int, folder: Path, profile: cProfile.Profile | None) -> dict[str, float]:
    """Return the processor time of each stage in seconds."""
    with ExitStack() as stack:
        hall = Hall(stack, devices, folder)
        source = asyncio.create_task(hall.source.run(hall.intake))
        await asyncio.sleep(0.01)
        messages = encoded(WARM_PERIODS + periods)
        for period in range(WARM_PERIODS):
            await hall.play(period, messages[period], Stopwatch())
        hall.pacing.close()
        hall.model.taken = 0.0
        watch = Stopwatch()
        with nullcontext() if profile is None else profile:
            for period in range(WARM_PERIODS, WARM_PERIODS + periods):
                await hall.play(period, messages[period], watch)
        source.cancel()
        await asyncio.wait([source])
    watch.taken["scoring"] -= hall.model.taken
    return {**watch.taken, "model": hall.model.taken}


def main(devices: int = 1000, seconds: int = 10, *, profiled: bool = False) -> None:
    periods = seconds * 1000 // PERIOD_MS
    profile = cProfile.Profile(time.thread_time) if profiled else None
    with tempfile.TemporaryDirectory() as name:
        taken_s = asyncio.run(measure(devices, periods, Path(name), profile))
    taken = {stage: seconds / (periods * devices) * 1e6 for stage, seconds in taken_s.items()}
    stages = ", ".join(f"{stage} {us:.1f}" for stage, us in taken.items())
    print(f"{devices:,} devices: {sum(taken.values()):.1f} us a message of {SAMPLES} samples: {stages}", flush=True)
    if profile is not None:
        pstats.Stats(profile).sort_stats("tottime").print_stats(45)


if __name__ == "__main__":
    main(
        *(int(argument) for argument in sys.argv[1:] if argument.isdigit()),
        profiled="profile" in sys.argv,
    )
