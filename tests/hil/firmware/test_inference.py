from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hil.emulated.factory import factory_models
from models.decision import Decision
from models.decision_parameters import DecisionParameters
from models.graph.export import export_blaster_model
from models.model_file import open_model
from models.model_meta import ModelMeta
from models.scorer import score_recording
from models.synthetic import synthesise
from stinger.logs import read_log
from stinger.mlmd import LrModel, MlpModel, encode_mlmd
from stinger.recording import Recording, split_recordings
from stinger.sample import SampleArray
from stinger.wire.frames import KNOWN_FLAG, WHEELS_FLAG
from tests.helpers.samples import random_samples
from tests.hil.firmware.conftest import MakeDevice
from tests.models import blaster_reference

LR, MLP = factory_models()
MODELS = pytest.mark.parametrize("model", [LR, MLP], ids=["lr", "mlp"])
BOUND = 5e-6
"""Both sides compute in float32, in different orders; the exact value is within 3e-6 of either."""


def device_options(model: LrModel | MlpModel) -> dict[str, bytes]:
    file = encode_mlmd(model)
    return {"lr": file, "mlp": b""} if isinstance(model, LrModel) else {"lr": b"", "mlp": file}


def recordings() -> list[Recording]:
    samples = [synthesise(minutes=2, seed=seed) for seed in (5, 6)]
    return [recording for one in samples for recording in split_recordings(one)]


def host_scores(model: LrModel | MlpModel, recording: Recording) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    meta = ModelMeta("", "test", "2026-01-01T00:00:00Z")
    return score_recording(open_model(export_blaster_model(model, meta)), recording)


@MODELS
def test_probabilities_of_whole_recordings_are_those_of_the_host(
    make_device: MakeDevice, model: LrModel | MlpModel
) -> None:
    for recording in recordings():
        probability, flags = make_device(**device_options(model)).play(recording.samples)
        expected = host_scores(model, recording)
        known = (flags & KNOWN_FLAG) > 0
        np.testing.assert_array_equal(known, ~np.isnan(expected))
        assert np.abs(probability[known] - expected[known]).max() <= BOUND


@MODELS
def test_wheels_switch_at_the_samples_of_the_host(make_device: MakeDevice, model: LrModel | MlpModel) -> None:
    for recording in recordings():
        _, flags = make_device(on=0.4, **device_options(model)).play(recording.samples)
        decision = Decision(DecisionParameters(on=0.4))
        expected = decision.push(recording.time_ms, host_scores(model, recording)).wheels
        assert expected.any()
        np.testing.assert_array_equal((flags & WHEELS_FLAG) > 0, expected)


@MODELS
def test_probabilities_of_a_real_blaster_are_those_of_the_host(
    make_device: MakeDevice, model: LrModel | MlpModel, capture_csv: Path
) -> None:
    (recording,) = read_log(capture_csv, every=16).recordings
    probability, _ = make_device(**device_options(model)).play(recording.samples)
    expected = host_scores(model, recording)
    assert np.nanmax(np.abs(probability - expected)) <= BOUND


@MODELS
def test_probabilities_are_those_of_the_scalar_transcription(
    make_device: MakeDevice, model: LrModel | MlpModel
) -> None:
    samples = synthesise(minutes=1, seed=7)[:1500]
    probability, flags = make_device(**device_options(model)).play(samples)
    axes = np.stack([samples[name] for name in ("ax", "ay", "az", "gx", "gy", "gz")], axis=1)
    for last in np.flatnonzero(flags & KNOWN_FLAG)[::29].tolist():
        expected = blaster_reference.probability(model, axes[last - 49 : last + 1])
        assert probability[last] == pytest.approx(expected, abs=BOUND)


def extreme_samples(low: int, high: int) -> SampleArray:
    samples = random_samples(60)
    for i, name in enumerate(("ax", "ay", "az", "gx", "gy", "gz")):
        samples[name] = np.where(np.arange(60) % (i + 2) == 0, low, high)
    return samples


@MODELS
@pytest.mark.parametrize(("low", "high"), [(-32768, 32767), (-32768, -32768), (32767, 32767), (-1, 1)])
def test_saturated_and_constant_windows_are_those_of_the_host(
    make_device: MakeDevice, model: LrModel | MlpModel, low: int, high: int
) -> None:
    samples = extreme_samples(low, high)
    probability, _ = make_device(**device_options(model)).play(samples)
    expected = host_scores(model, split_recordings(samples)[0])
    assert np.nanmax(np.abs(probability - expected)) <= BOUND


def test_sums_do_not_drift_over_an_hour(make_device: MakeDevice) -> None:
    samples = random_samples(360_000)
    probability, _ = make_device().play(samples)
    fresh, _ = make_device().play(samples[-60:])
    np.testing.assert_array_equal(probability[-11:], fresh[-11:])


def test_gap_empties_the_window(make_device: MakeDevice) -> None:
    samples = random_samples(130)
    samples["timestamp_ms"][60:] += 150
    _, flags = make_device().play(samples)
    known = np.flatnonzero(flags & KNOWN_FLAG)
    assert known.tolist() == [*range(49, 60), *range(109, 130)]


def test_device_without_a_model_has_no_output(make_device: MakeDevice) -> None:
    _, flags = make_device(lr=b"", mlp=b"").play(random_samples(80))
    assert not flags.any()


def test_weights_that_overflow_give_no_output_instead_of_nan(make_device: MakeDevice) -> None:
    huge = np.full((64, 64), 3e38, dtype=np.float32)
    zero = np.zeros(64, dtype=np.float32)
    model = MlpModel(
        mean=zero[:30], scale=zero[:30], w1=huge[:, :30], b1=zero, w2=-huge[:32], b2=huge[0, :32], w3=huge[0, :32],
        b3=-huge[0, 0].reshape(()),
    )  # fmt: skip
    device = make_device(**device_options(model))
    probability, _ = device.play(random_samples(200))
    assert np.isfinite(probability).all()
    assert 0 <= device.envelope <= 1


def test_wheels_go_off_when_samples_stop(make_device: MakeDevice) -> None:
    device = make_device(on=0.05)
    samples = synthesise(minutes=1, seed=5)
    _, flags = device.play(samples)
    last = int(np.flatnonzero(flags & WHEELS_FLAG)[-1])
    device = make_device(on=0.05)
    device.play(samples[: last + 1])
    now_ms = int(samples["timestamp_ms"][last])
    assert device.wheels(now_ms)
    assert not device.wheels(now_ms + 250)


def test_envelope_is_near_zero_50_ms_after_the_output_is_stale(make_device: MakeDevice) -> None:
    device = make_device(on=0.05)
    samples = synthesise(minutes=1, seed=5)
    _, flags = device.play(samples)
    last = int(np.flatnonzero(flags & WHEELS_FLAG)[-1])
    device = make_device(on=0.05)
    device.play(samples[: last + 1])
    device.wheels(int(samples["timestamp_ms"][last]) + 310)
    assert device.envelope < 0.01
