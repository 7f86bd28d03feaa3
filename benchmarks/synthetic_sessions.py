"""Synthetic sessions: speed of generation, similarity to a real one, and how hard they are to predict.

Run: python -m benchmarks.synthetic_sessions
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import islice

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score

from benchmarks.export_windows import OPTIONS
from benchmarks.timing import side_by_side
from models.dataset import Dataset
from models.estimators import fit_estimator, make_estimator, predict_probability
from models.export import build_dataset
from models.features import compute_features
from models.sessions import Session
from models.synthetic import synthesise, synthetic_blocks
from stinger.recording import split_recordings
from stinger.shots import find_shots


def training_set(seed: int, minutes: float) -> Dataset:
    """Build the recommended training set of one synthetic session, of a user that no other seed has."""
    (recording,) = split_recordings(synthesise(minutes=minutes, seed=seed))
    session = Session(name=f"seed{seed}", recording=recording, shots=find_shots(recording), first_shot_num=0)
    return build_dataset([session], OPTIONS, about={})


def left_out(datasets: Sequence[Dataset], model: str, features: str) -> list[float]:
    """Return the average precision on each of ``datasets`` of a model trained on the others."""
    rows = [compute_features(dataset.windows, features) for dataset in datasets]
    precision = []
    for tested, dataset in enumerate(datasets):
        others = [index for index in range(len(datasets)) if index != tested]
        labels = np.concatenate([datasets[index].labels for index in others])
        estimator = make_estimator(model, features, seed=1, labels=labels)
        fit_estimator(estimator, np.concatenate([rows[index] for index in others]), labels)
        probability = predict_probability(estimator, rows[tested])
        precision.append(float(average_precision_score(dataset.labels, probability)))
    return precision


def window_averages(seeds: Sequence[int], minutes: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return standard deviation and largest absolute value of each channel, averaged over all windows: two ``(6,)``."""
    features = []
    for seed in seeds:
        (recording,) = split_recordings(synthesise(minutes=minutes, seed=seed, still_pause=False))
        windows = np.lib.stride_tricks.sliding_window_view(recording.axes, 50, axis=0).transpose(0, 2, 1)
        features.append(compute_features(windows, "summary"))
    average = np.concatenate(features).mean(axis=0, dtype=np.float64)
    return average[6:12], average[12:18]


def speed() -> None:
    side_by_side(
        "15 minutes, one user",
        {
            "at once": lambda: synthesise(minutes=15, seed=1),
            "90,000 samples in blocks of 10": lambda: list(islice(synthetic_blocks(seed=1, block_samples=10), 9000)),
        },
    )
    start = time.perf_counter()
    samples = synthesise(minutes=600, seed=1)
    print(f"\n10 hours, {samples.shape[0]:,} samples: {time.perf_counter() - start:.1f} s")


def difficulty() -> None:
    datasets = [training_set(seed, 12) for seed in range(1, 13)]
    specs = (("logreg", "summary"), ("mlp", "rich"), ("et", "rich"))
    results = [left_out(datasets, *spec) for spec in specs]
    print("\n| seed left out | positives | negatives | " + " | ".join(":".join(spec) for spec in specs) + " |")
    print("| ---: " * (3 + len(specs)) + "|")
    for index, dataset in enumerate(datasets):
        positives = int(dataset.labels.sum())
        scores = " | ".join(f"{result[index]:.2f}" for result in results)
        print(f"| {index + 1} | {positives} | {len(dataset) - positives} | {scores} |")
    print("| mean | | | " + " | ".join(f"{np.mean(result):.2f}" for result in results) + " |")


def likeness() -> None:
    deviation, largest = window_averages(range(1, 13), 6)
    print("\nstandard deviation:", deviation.round().astype(int).tolist())
    print("largest:           ", largest.round().astype(int).tolist())


if __name__ == "__main__":
    speed()
    likeness()
    difficulty()
