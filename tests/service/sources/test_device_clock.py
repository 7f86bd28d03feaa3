"""The estimate against simulated devices whose true times are known. Limits are measured errors plus a margin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.sources.device_clock import BUCKETS, DeviceClock

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Simulation:
    """Per sample: ``true_ms`` when it was taken, ``device_ms`` the device's timestamp, ``read_ns`` its arrival."""

    true_ms: Floats
    device_ms: npt.NDArray[np.int64]
    read_ns: npt.NDArray[np.int64]

    def errors_ms(self) -> Floats:
        """Return the error of each sample's estimated time, estimated as soon as the sample has arrived."""
        clock = DeviceClock()
        errors = []
        for true, device, read in zip(self.true_ms, self.device_ms.tolist(), self.read_ns.tolist(), strict=True):
            clock.observe(device, read)
            errors.append(float(clock.taken_ns([device])[0]) / 1e6 - true)
        return np.array(errors)


def simulate(
    seconds: float,
    *,
    drift: float = 0.0,
    jitter_ms: float = 0.0,
    burst_ms: float = 0.0,
    block: int = 1,
    seed: int = 1,
    start_ms: float = 5e6,
) -> Simulation:
    """Simulate 100 Hz in blocks of ``block``, with exponential jitter and occasional stalls of up to ``burst_ms``."""
    rng = np.random.default_rng(seed)
    count = int(seconds * 100)
    device_ms = 1234 + np.arange(block - 1, count, block).astype(np.float64) * 10.0
    true_ms = start_ms + (device_ms - 1234) * (1 + drift)
    delay_ms = rng.exponential(jitter_ms, device_ms.size) if jitter_ms else np.zeros(device_ms.size)
    arrival_ms = true_ms + delay_ms
    if burst_ms:
        for begin in rng.choice(device_ms.size, device_ms.size // 40):
            until_ms = arrival_ms[begin] + rng.uniform(0, burst_ms)
            held = slice(begin, begin + int(burst_ms / 10 / block) + 1)
            arrival_ms[held] = np.maximum(arrival_ms[held], until_ms)
    arrival_ms = np.maximum.accumulate(arrival_ms)
    return Simulation(true_ms, device_ms.astype(np.int64), (arrival_ms * 1e6).astype(np.int64))


def test_without_delay_the_estimate_is_the_arrival() -> None:
    assert np.abs(simulate(60).errors_ms()).max() < 1e-3


@pytest.mark.parametrize("drift", [-100e-6, 0.0, 100e-6])
@pytest.mark.parametrize(
    ("jitter_ms", "burst_ms", "block", "settled_ms"),
    [(0.1, 0.0, 1, 0.002), (1.0, 0.0, 1, 0.02), (5.0, 0.0, 1, 0.1), (5.0, 200.0, 1, 0.15), (5.0, 100.0, 20, 1.5)],
)
def test_jitter_stalls_and_drift_leave_a_small_error(
    drift: float, jitter_ms: float, burst_ms: float, block: int, settled_ms: float
) -> None:
    worst = 0.0
    for seed in range(3):
        errors = simulate(120, drift=drift, jitter_ms=jitter_ms, burst_ms=burst_ms, block=block, seed=seed).errors_ms()
        worst = max(worst, float(np.abs(errors[len(errors) // 6 :]).max()))  # after 20 s
    assert worst < settled_ms


def test_drift_is_estimated() -> None:
    simulation = simulate(60, drift=80e-6, jitter_ms=0.5)
    clock = DeviceClock()
    for device, read in zip(simulation.device_ms.tolist(), simulation.read_ns.tolist(), strict=True):
        clock.observe(device, read)
    assert clock.rate_off == pytest.approx(80e-6, abs=15e-6)


def test_clock_that_counts_rows_at_another_rate_is_followed() -> None:
    errors = simulate(60, drift=0.03, jitter_ms=0.5).errors_ms()
    assert np.abs(errors[1000:]).max() < 1.0


@settings(max_examples=40, deadline=None)
@given(
    delays_ms=st.lists(st.floats(0, 500), min_size=30, max_size=300),
    drift=st.floats(-200e-6, 200e-6),
    seconds_apart=st.floats(0.005, 2.0),
)
def test_no_estimate_is_off_by_more_than_the_delays(delays_ms: list[float], drift: float, seconds_apart: float) -> None:
    clock = DeviceClock()
    device_ms = np.arange(len(delays_ms)) * 1000.0 * seconds_apart
    true_ms = 1e6 + device_ms * (1 + drift)
    for device, true, delay in zip(device_ms, true_ms, delays_ms, strict=True):
        clock.observe(float(device), int((true + delay) * 1e6))
        taken_ms = float(clock.taken_ns([float(device)])[0]) / 1e6
        assert taken_ms <= true + delay + 1e-3
        # Early at most by what an unknown drift adds up to over the observed time.
        assert taken_ms >= true - max(delays_ms) * 2 - 1.0


def test_device_clock_that_was_stopped_is_detected() -> None:
    simulation = simulate(60, jitter_ms=1.0)
    clock = DeviceClock()
    asleep_ns = 5_000_000_000
    for i, (device, read) in enumerate(zip(simulation.device_ms.tolist(), simulation.read_ns.tolist(), strict=True)):
        clock.observe(device, read + (asleep_ns if i > 3000 else 0))
    late = clock.lateness_ms(float(simulation.device_ms[-1]), int(simulation.read_ns[-1]) + asleep_ns)
    assert late is not None
    assert late < 20


def test_late_first_arrivals_are_discarded_once_one_is_punctual() -> None:
    clock = DeviceClock()
    for device in range(0, 500, 10):
        clock.observe(device, (1000 + 500) * 1_000_000)  # buffered samples arrive all at once
    for device in range(500, 2000, 10):
        clock.observe(device, (1000 + device) * 1_000_000)
    assert clock.taken_ns([2000.0])[0] == pytest.approx(3000e6, abs=0.1e6)


def test_number_of_points_is_bounded() -> None:
    clock = DeviceClock()
    for device in range(0, 3_600_000, 100):
        clock.observe(device, device * 1_000_000)
    assert len(clock._points) <= BUCKETS
