"""The sample rate of timestamps as devices and bridges write them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from stinger.rate import GAP_MS, measure_rate

Times = npt.NDArray[np.int64]


def ticks(rate_hz: float, tick_ms: float, count: int = 3000) -> Times:
    """Return the times of a device whose clock advances in steps of ``tick_ms``."""
    return np.floor(np.floor(np.arange(count) * 1000 / rate_hz / tick_ms) * tick_ms).astype(np.int64)


def batches(size: int, inner_ms: int, count: int = 3000) -> Times:
    """Return the times of 100 Hz in batches, whose samples are ``inner_ms`` apart."""
    index = np.arange(count)
    return index // size * size * 10 + index % size * inner_ms


def jitter(by_ms: int, count: int = 3000) -> Times:
    return np.sort(np.arange(count) * 10 + np.random.default_rng(1).integers(-by_ms, by_ms + 1, count)) + by_ms


def lossy(part: float, count: int = 3000) -> Times:
    return (np.arange(count) * 10)[np.random.default_rng(2).random(count) >= part]


def paused(time_ms: Times, every: int = 300, pause_ms: int = 60_000) -> Times:
    return time_ms + np.arange(time_ms.size) // every * pause_ms


@pytest.mark.parametrize(
    "time_ms",
    [
        ticks(100, 10),
        ticks(100, 16),
        ticks(100, 15.625),
        ticks(100, 20),
        ticks(100, 50),
        ticks(97, 1),
        batches(2, 0),
        batches(2, 1),
        batches(5, 0),
        batches(5, 1),
        batches(5, 3),
        jitter(2),
        jitter(4),
        jitter(9),
        jitter(30),
        lossy(0.05),
        lossy(0.1),
        paused(ticks(100, 16)),
        np.delete(np.arange(3000) * 9, np.s_[10::11]),  # 111 Hz thinned to 100 Hz
        paused(batches(5, 0)),
        paused(jitter(4)),
        paused(ticks(100, 10), every=10),
    ],
)
def test_rate_of_about_100_hz_is_recognised_whatever_the_timestamps(time_ms: Times) -> None:
    rate = measure_rate(time_ms)
    assert rate.hz == pytest.approx(100, rel=0.035)
    assert rate.problem is None


@pytest.mark.parametrize(
    ("time_ms", "rate_hz"),
    [
        *((ticks(hz, 1), hz) for hz in (20, 50, 62, 80, 120, 150, 200, 400, 800, 1600)),
        *((ticks(hz, 16), hz) for hz in (50, 80, 200)),
        *((ticks(hz, 15.625), hz) for hz in (50, 200)),
        (ticks(80, 10), 80),
        (lossy(0.2), 80),
        (lossy(0.4), 60),
        (paused(ticks(62.5, 16)), 62.5),
        (np.repeat(np.arange(1000) * 10, 2), 200),
    ],
)
def test_other_rates_are_measured_and_named_as_a_problem(time_ms: Times, rate_hz: float) -> None:
    rate = measure_rate(time_ms)
    assert rate.hz == pytest.approx(rate_hz, rel=0.03)
    assert rate.problem is not None
    assert "samples a second; models take 100" in rate.problem


@pytest.mark.parametrize("size", [6, 10, 20, 40])
@pytest.mark.parametrize("inner_ms", [0, 1])
def test_batches_longer_than_a_gap_are_a_problem_at_any_rate(size: int, inner_ms: int) -> None:
    rate = measure_rate(batches(size, inner_ms))
    if size * 10 - (size - 1) * inner_ms <= GAP_MS:
        assert rate.problem is None
        return
    assert rate.hz == pytest.approx(100, rel=0.03)
    assert rate.problem is not None
    assert rate.problem.startswith("timestamps in steps of")


@pytest.mark.parametrize("times", [[], [5], [5, 5, 5], [0, 10, 5000]])
def test_rate_of_too_few_samples_is_unknown(times: list[int]) -> None:
    rate = measure_rate(np.array(times, dtype=np.int64))
    assert rate.hz is None
    assert rate.problem == "no known sample rate: its time does not advance"
