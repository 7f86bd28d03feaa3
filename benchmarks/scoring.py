"""Processor time of scoring, for each kind of model.

One sample, warm and cold, and a sample of each of 1,000 devices. A graph of an earlier version, kept for the tests,
runs in turn with the others. Cold means once every 10 ms with other work in between, as a daemon with one blaster runs
it; warm means without a pause. Only the processor time of this thread counts, so other programs disturb less.

Run: python -m benchmarks.scoring [rounds]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx

from models.estimators import fit_members, training_inputs
from models.graph.export import export_model
from models.model_file import Model, load_model, open_model
from models.model_meta import ModelMeta
from models.scorer import Scorer
from models.spec import EstimatorOptions, parse_spec
from stinger.sample import SampleArray, axes, make_samples

SPECS = ("logreg:summary", "mlp:rich", "mlp:motion", "mlp:kernels", "mlp:motion+mlp:kernels", "et:rich")
DEEP_SPECS = ("cnn:raw", "mlp:motion+mlp:kernels+cnn:raw")
"""Measured as well where PyTorch is installed."""
EARLIER = Path("tests/models/old_models/mlp_rich.onnx")
FIT = EstimatorOptions(mlp_epochs=2, trees=600)
RECORDING = 20_000
DEVICES = 1000
PUSHES = 200
COLD = 30
ROUNDS = 15


def motion(count: int) -> SampleArray:
    """Return samples of channels that wander."""
    rng = np.random.default_rng(1)
    steps = rng.normal(0, 150, (count, 6))
    channels = np.zeros((count, 6))
    for i in range(1, count):
        channels[i] = 0.97 * channels[i - 1] + steps[i]
    return make_samples(np.arange(count) * 10, channels.clip(-32768, 32767), np.zeros(count))


def trained(spec: str, windows: npt.NDArray[np.int16]) -> Model:
    parsed = parse_spec(spec)
    turning = np.abs(windows[:, :, 3]).mean(axis=1)
    labels = (turning > np.median(turning)).astype(np.uint8)
    fitted, _ = fit_members(parsed, training_inputs(windows, parsed), labels, seed=1, options=FIT)
    return open_model(export_model(fitted, ModelMeta(spec, "benchmark", "2026-01-01T00:00:00+00:00")))


class Way:
    """One model, and the processor time that scoring took."""

    def __init__(self, model: Model, samples: SampleArray) -> None:
        self.nodes = len(onnx.load_model_from_string(model.data).graph.node)
        self.times: dict[str, list[float]] = {"warm": [], "cold": [], "device": []}
        self._samples = samples
        self._one, self._hall = Scorer(model), Scorer(model)
        self._one.push("a", samples[:50])
        self._next = 50
        self._hall.push_blocks([(str(i), samples[i : i + 60]) for i in range(DEVICES)])
        self._blocks = [(str(i), samples[i + 60 : i + 61]) for i in range(DEVICES)]

    def measure(self) -> None:
        """Add a figure of each kind, in microseconds a sample."""
        self.times["warm"].append(self._time(self._push_all, PUSHES))
        cold = 0.0
        for _ in range(COLD):
            time.sleep(0.01)
            cold += self._time(self._push, 1)
        self.times["cold"].append(cold / COLD)
        self.times["device"].append(self._time(lambda: self._hall.push_blocks(self._blocks), DEVICES))

    def _push_all(self) -> None:
        for _ in range(PUSHES):
            self._push()

    def _push(self) -> None:
        """Push the next sample: a step back in time would empty the window."""
        self._one.push("a", self._samples[self._next : self._next + 1])
        self._next += 1

    @staticmethod
    def _time(work: Callable[[], object], samples: int) -> float:
        started = time.thread_time()
        work()
        return (time.thread_time() - started) / samples * 1e6


def main(rounds: int) -> None:
    samples = motion(RECORDING)
    sliding = np.lib.stride_tricks.sliding_window_view(axes(samples), 50, axis=0)
    windows = np.ascontiguousarray(sliding.transpose(0, 2, 1)[::11])
    ways = {f"{load_model(EARLIER).meta.spec}, as before": Way(load_model(EARLIER), samples)}
    specs = SPECS if find_spec("torch") is None else SPECS + DEEP_SPECS
    ways |= {spec: Way(trained(spec, windows), samples) for spec in specs}
    for lap in range(rounds + 1):
        for way in ways.values():
            way.measure()
            if not lap:
                for figures in way.times.values():
                    figures.clear()
    print(f"microseconds of processor time for a sample, median (least) of {rounds} rounds in turn")
    print(f"  {'':<32}{'nodes':>6}{'one device':>16}{'cold':>16}{f'{DEVICES:,} devices':>16}")
    for name, way in ways.items():
        cells = (f"{np.median(figures):.1f} ({min(figures):.1f})" for figures in way.times.values())
        print(f"  {name:<32}{way.nodes:>6}" + "".join(f"{cell:>16}" for cell in cells))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
