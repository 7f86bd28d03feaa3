"""Score as the daemon does, compared with scikit-learn called for each window.

Run: python -m benchmarks.scoring
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from benchmarks.timing import side_by_side
from models.estimators import fit_members, predict_probability
from models.features import compute_features
from models.graph.export import export_model
from models.model_file import Model, open_model
from models.model_meta import ModelMeta
from models.scorer import Scorer
from models.spec import EstimatorOptions, parse_spec
from stinger.sample import SampleArray, make_samples

SPECS = (("logreg", "summary", 300), ("mlp", "rich", 300), ("et", "rich", 600))
RECORDING = 90_000
DEVICES = 1000
PUSHES = 500


def motion(count: int) -> SampleArray:
    rng = np.random.default_rng(1)
    steps = rng.normal(0, 150, (count, 6))
    channels = np.zeros((count, 6))
    for i in range(1, count):
        channels[i] = 0.97 * channels[i - 1] + steps[i]
    return make_samples(np.arange(count) * 10, channels.clip(-32768, 32767), np.zeros(count))


def trained(samples: SampleArray, model: str, features: str, trees: int) -> tuple[Any, Model]:
    axes = np.stack([samples[name] for name in ("ax", "ay", "az", "gx", "gy", "gz")], axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(axes, 50, axis=0).transpose(0, 2, 1)[::83]
    table = compute_features(np.ascontiguousarray(windows), features)
    labels = (table[:, 9] > np.median(table[:, 9])).astype(np.uint8)
    spec = parse_spec(f"{model}:{features}")
    fitted, _ = fit_members(spec, {features: table}, labels, seed=1, options=EstimatorOptions(trees=trees))
    meta = ModelMeta(str(spec), software="benchmark", created="2026-01-01T00:00:00+00:00")
    return fitted.estimators[0], open_model(export_model(fitted, meta))


def one_at_a_time(scorer: Scorer, samples: SampleArray, count: int) -> None:
    for i in range(count):
        scorer.push("a", samples[i : i + 1])


def all_at_once(model: Model, samples: SampleArray) -> None:
    Scorer(model).push("a", samples)


def sklearn_one_at_a_time(
    estimator: Any, features: str, windows: np.ndarray[Any, np.dtype[np.int16]], count: int
) -> None:
    for i in range(count):
        predict_probability(estimator, compute_features(windows[i : i + 1], features))


def main() -> None:
    samples = motion(RECORDING)
    axes = np.stack([samples[name] for name in ("ax", "ay", "az", "gx", "gy", "gz")], axis=1)
    windows = np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(axes[:1000], 50, axis=0).transpose(0, 2, 1))
    for model, features, trees in SPECS:
        estimator, served = trained(samples, model, features, trees)
        name = f"{model}:{features}"
        live, hall = Scorer(served), Scorer(served)
        live.push("a", samples[:50])
        hall.push_blocks([(str(i), samples[i : i + 60]) for i in range(DEVICES)])
        blocks = [(str(i), samples[i + 60 : i + 61]) for i in range(DEVICES)]
        slow = 20 if model == "et" else PUSHES
        medians = side_by_side(
            f"{name}: one device, one sample at a time",
            {
                f"Scorer.push, {PUSHES} times": partial(one_at_a_time, live, samples, PUSHES),
                f"scikit-learn, {slow} times": partial(sklearn_one_at_a_time, estimator, features, windows, slow),
            },
        )
        for way, count in zip(medians, (PUSHES, slow), strict=True):
            print(f"  {way:<44}{medians[way] / count * 1e6:10.1f} us a sample")
        side_by_side(
            f"{name}: blocks",
            {
                f"{DEVICES:,} devices, a sample each": partial(hall.push_blocks, blocks),
                f"{RECORDING:,} samples of one device": partial(all_at_once, served, samples),
            },
            rounds=5,
        )


if __name__ == "__main__":
    main()
