"""A recording through the whole flow as fast as possible.

Source, factory model, decision, recorder, metrics; no broker. Run: python -m benchmarks.replay_flow
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from models.choice import FACTORY, ChosenModel
from models.factory import factory_model
from models.synthetic import synthesise
from service.daemon.flow import Flow
from service.daemon.pipeline import Pipeline
from service.daemon.sinks import MetricsSink
from service.ops.metrics import Metrics
from service.recording.pacing import PacedRecorder
from service.recording.recorder import Recorder
from service.sources.replay_source import ReplaySource
from stinger.device_name import DeviceName
from stinger.logs import write_log

MINUTES = 120
ROUNDS = 5


async def replay(folder: Path, path: Path) -> None:
    pipeline = Pipeline(ChosenModel(factory_model(), FACTORY), min_shot_gap_ms=1000)
    recorder = Recorder(folder)
    pacing = PacedRecorder(recorder, asyncio.get_running_loop().call_later)
    for sink in (pacing, MetricsSink(Metrics())):
        pipeline.subscribe(sink)
    source = ReplaySource(f"replay:{path}", DeviceName("d"), path, speed=0)
    pipeline.add_device(source.device)
    flow = Flow(pipeline)
    running = asyncio.create_task(flow.run())
    try:
        await source.run(flow)
        flow.score_queued()
    finally:
        running.cancel()
        await asyncio.wait([running])
        pacing.close()
        recorder.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        samples = synthesise(minutes=MINUTES, seed=1)
        write_log(folder / "session.bin", samples)
        rates = []
        for i in range(ROUNDS + 1):
            start = time.perf_counter()
            asyncio.run(replay(folder / str(i), folder / "session.bin"))
            if i:
                rates.append(samples.size / (time.perf_counter() - start))
        rates.sort()
        print(
            f"{samples.size:,} samples: {rates[ROUNDS // 2]:,.0f} a second (median of {ROUNDS}; {rates[0]:,.0f} to {rates[-1]:,.0f})"
        )


if __name__ == "__main__":
    main()
