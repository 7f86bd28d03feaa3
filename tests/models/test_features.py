from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.feature_sets import FEATURE_SETS, FITTED_SETS, MAX_WINDOW_SAMPLES, feature_count, feature_names
from models.features import compute_features, training_input
from models.graph.kernels import KernelParameters
from models.kernel_features import KernelFeatures
from stinger.errors import InputError
from tests.models.feature_reference import features_of, kernel_features
from tests.models.test_graph import windows_like_life

Windows = npt.NDArray[np.int16]

OF_ANY_WINDOW = ("summary", "rich")
SAMPLES_THEMSELVES = ("flatten", "raw")
OF_50_SAMPLES = tuple(name for name in FEATURE_SETS if name not in {*OF_ANY_WINDOW, *SAMPLES_THEMSELVES, *FITTED_SETS})

windows_of_any_shape = hnp.arrays(
    np.int16, st.tuples(st.integers(0, 5), st.integers(1, 20), st.just(6)), elements=st.integers(-32768, 32767)
)


SATURATED = st.sampled_from([-32768, 32767, 0, 1, 2048])
windows_of_50 = hnp.arrays(
    np.int16,
    st.tuples(st.integers(0, 3), st.just(50), st.just(6)),
    elements=st.one_of(st.integers(-32768, 32767), SATURATED),
    fill=SATURATED,
)


@given(windows_of_any_shape, st.sampled_from(OF_ANY_WINDOW))
def test_every_feature_equals_its_definition(windows: Windows, name: str) -> None:
    features = compute_features(windows, name)
    names = feature_names(name, windows.shape[1])
    assert features.shape == (windows.shape[0], len(names))
    assert features.dtype == np.float32
    for row, window in zip(features, windows, strict=True):
        expected = features_of(name, window)
        np.testing.assert_allclose(row, [expected[column] for column in names], rtol=1e-6, atol=1e-6)


@given(windows_of_50, st.sampled_from(OF_50_SAMPLES))
def test_every_feature_of_any_window_of_50_samples_equals_its_definition(windows: Windows, name: str) -> None:
    features = compute_features(windows, name)
    names = feature_names(name, 50)
    assert features.shape == (windows.shape[0], len(set(names)))
    for row, window in zip(features, windows, strict=True):
        expected = features_of(name, window)
        np.testing.assert_allclose(row, [expected[column] for column in names], rtol=1e-5, atol=1e-5)


@settings(max_examples=25)
@given(windows_of_50)
def test_features_of_kernels_are_shares_above_thresholds_and_maxima(windows: Windows) -> None:
    kernels = fitted_kernels()
    features = kernels.transform(windows.reshape(-1, 300))
    assert features.shape == (windows.shape[0], len(set(feature_names("kernels", 50))))
    for row, window in zip(features, windows, strict=True):
        # In float32 an output that is nearly equal to a threshold may be on its other side.
        least, most = (kernel_features(window, moved(kernels.parameters_, by)) for by in (1e-4, -1e-4))
        shares = np.arange(row.size) % 4 < 3
        assert (row >= least - 1e-6)[shares].all()
        assert (row <= most + 1e-6)[shares].all()
        np.testing.assert_allclose(row[~shares], least[~shares], rtol=1e-4, atol=1e-2)


def moved(parameters: KernelParameters, by: float) -> KernelParameters:
    """Return ``parameters`` with thresholds a little higher or lower."""
    return replace(parameters, thresholds=parameters.thresholds + by * (1 + np.abs(parameters.thresholds)))


@pytest.mark.parametrize("value", [-32768, 0, 32767])
def test_constant_windows_have_no_feature_that_is_not_a_number(value: int) -> None:
    windows = np.full((2, 50, 6), value, dtype=np.int16)
    for name in FEATURE_SETS:
        features = (
            fitted_kernels().transform(windows.reshape(-1, 300))
            if name == "kernels"
            else compute_features(windows, name)
        )
        assert np.isfinite(features).all(), name


@lru_cache
def fitted_kernels() -> KernelFeatures:
    windows = windows_like_life(200, seed=5)
    labels = np.arange(200) % 2
    return KernelFeatures(random_state=1).fit(windows.reshape(200, -1), labels)


def test_kernels_depend_on_the_seed_and_on_the_rows() -> None:
    rows, labels = windows_like_life(200, seed=6).reshape(200, -1), np.arange(200) % 2
    first, same, other = (KernelFeatures(random_state=seed).fit(rows, labels).transform(rows[:5]) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, fitted_kernels().transform(rows[:5]))


def test_estimators_on_kernels_and_on_raw_windows_get_the_windows_themselves() -> None:
    windows = windows_like_life(4, seed=7)
    np.testing.assert_array_equal(training_input(windows, "kernels"), windows.reshape(4, 300))
    np.testing.assert_array_equal(training_input(windows, "raw"), windows.reshape(4, 300))
    np.testing.assert_array_equal(training_input(windows, "rich"), compute_features(windows, "rich"))


@pytest.mark.parametrize("name", ["motion", "kernels", "invariant", "raw"])
def test_windows_of_another_length_are_refused_where_features_are_of_50_samples(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} features need windows of 50 samples, not 40"):
        training_input(np.zeros((1, 40, 6), dtype=np.int16), name)


@given(windows_of_any_shape)
def test_flatten_is_the_samples_one_after_another(windows: Windows) -> None:
    features = compute_features(windows, "flatten")
    names = feature_names("flatten", windows.shape[1])
    assert features.shape == (windows.shape[0], len(names))
    for row, window in zip(features, windows, strict=True):
        assert row.tolist() == [float(value) for sample in window.tolist() for value in sample]
    assert names[:7] == ("ax[0]", "ay[0]", "az[0]", "gx[0]", "gy[0]", "gz[0]", "ax[1]")[: len(names)]


@given(
    hnp.arrays(np.int16, st.tuples(st.integers(12, 40), st.just(6))),
    st.integers(1, 12),
    st.integers(1, 15),
    st.booleans(),
    st.sampled_from(["summary", "rich", "flatten"]),
)
def test_windows_that_overlap_in_memory_have_the_features_of_their_copies(
    recording: Windows, width: int, stride: int, backwards: bool, name: str
) -> None:
    windows = np.lib.stride_tricks.sliding_window_view(recording, width, axis=0).transpose(0, 2, 1)[::stride]
    windows = windows[::-1] if backwards else windows
    copies = np.ascontiguousarray(windows)
    np.testing.assert_array_equal(compute_features(windows, name), compute_features(copies, name))


def test_a_small_movement_on_a_large_offset_keeps_its_deviation() -> None:
    windows = np.full((1, 50, 6), 32_000, dtype=np.int16)
    windows[0, ::2] += 1
    rich = dict(zip(feature_names("rich", 50), compute_features(windows, "rich")[0].tolist(), strict=True))
    assert rich["ax_std"] == pytest.approx(0.5, rel=1e-6)
    assert rich["accel_mag_std"] == pytest.approx(math.sqrt(3) / 2, rel=1e-6)


def test_a_still_window_has_no_deviation_at_all() -> None:
    windows = np.full((2, 50, 6), -32_768, dtype=np.int16)
    rich = dict(zip(feature_names("rich", 50), compute_features(windows, "rich")[0].tolist(), strict=True))
    assert rich["az_std"] == 0
    assert rich["az_absmax"] == 32_768
    assert rich["gyro_mag_std"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", sorted(set(FEATURE_SETS) - FITTED_SETS))
@pytest.mark.parametrize("chunk_samples", [50, 7 * 50])
def test_features_do_not_depend_on_how_many_windows_are_computed_at_once(name: str, chunk_samples: int) -> None:
    recording = np.random.default_rng(1).integers(-3000, 3000, (400, 6)).astype(np.int16)
    windows = np.lib.stride_tricks.sliding_window_view(recording, 50, axis=0).transpose(0, 2, 1)
    whole = compute_features(windows, name)
    np.testing.assert_array_equal(compute_features(windows, name, chunk_samples=chunk_samples), whole)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("summary", 18),
        ("rich", 30),
        ("flatten", 300),
        ("motion", 94),
        ("kernels", 1344),
        ("invariant", 16),
        ("invariant_rich", 22),
    ],
)
def test_the_number_of_features_of_a_window_of_50_samples(name: str, count: int) -> None:
    assert feature_count(name, 50) == count == len(set(feature_names(name, 50)))


def test_an_unknown_feature_set_is_refused_with_the_ones_there_are() -> None:
    with pytest.raises(InputError, match="no feature set 'rihc': expected summary, rich, flatten"):
        compute_features(np.zeros((1, 5, 6), dtype=np.int16), "rihc")


@pytest.mark.parametrize(
    "windows",
    [np.zeros((5, 6), np.int16), np.zeros((1, 5, 7), np.int16), np.zeros((1, 0, 6), np.int16), np.zeros((1, 5, 6))],
)
def test_an_array_that_holds_no_windows_is_refused(windows: Windows) -> None:
    with pytest.raises(ValueError, match="windows are"):
        compute_features(windows, "summary")


def test_a_window_too_long_for_exact_sums_is_refused() -> None:
    with pytest.raises(InputError, match="at most 65,536 samples"):
        compute_features(np.zeros((1, MAX_WINDOW_SAMPLES + 1, 6), dtype=np.int16), "summary")


def test_the_longest_window_does_not_overflow() -> None:
    windows = np.full((1, MAX_WINDOW_SAMPLES, 6), -32_768, dtype=np.int16)
    windows[0, ::2] = 32_767
    summary = compute_features(windows, "summary")[0]
    np.testing.assert_allclose(summary[:12], [-0.5] * 6 + [32_767.5] * 6)
