"""Accelerometer and gyroscope measure the same motion."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from models.synthetic.acts import write_round
from models.synthetic.motion import move
from models.synthetic.noise import band_noise, minimum_jerk, wandering
from models.synthetic.script import Script, Unrest
from models.synthetic.session import Round, play_round, play_sensor
from models.synthetic.users import draw_user
from stinger.sample import ACCEL_LSB_PER_G, GYRO_LSB_PER_DPS

NUMBERS = range(6)


@pytest.fixture(scope="module")
def rounds() -> list[Round]:
    return [play_round(1, 0, number, draw_user(number), play_sensor(1, 0)) for number in NUMBERS]


def turned_back(vector: npt.NDArray[np.float64], rates_dps: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A vector fixed in the room, as a body sees it after it has turned at ``rates_dps`` ``(n, 3)`` for 10 ms each."""
    for rate in np.radians(rates_dps) * 0.01:
        angle = float(np.linalg.norm(rate))
        axis = rate / angle
        along = axis * np.dot(axis, vector)
        vector = along + (vector - along) * np.cos(angle) - np.cross(axis, vector) * np.sin(angle)
    return vector


def angle_between(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    cosine = np.dot(one, other) / np.linalg.norm(one) / np.linalg.norm(other)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def test_gyroscope_turns_gravity_to_where_the_accelerometer_sees_it(rounds: list[Round]) -> None:
    compared = 0
    for played in rounds:
        start = np.flatnonzero(~played.lies)[0]
        rest = played.axes[:start].astype(float).mean(axis=0)
        # Windows in the hand that are quiet: gravity is all that the accelerometer feels, on average.
        rates = (played.axes[:, 3:] - rest[3:]) / GYRO_LSB_PER_DPS
        up, now = rest[:3], start
        for end in range(start + 50, played.axes.shape[0], 50):
            up, now = turned_back(up, rates[now : end - 5]), end - 5
            window = played.axes[end - 10 : end, :3].astype(float)
            if np.abs(rates[end - 10 : end]).max() < 20 and window.std(axis=0).max() < 60:
                assert angle_between(up, window.mean(axis=0)) < 8
                compared += 1
        last = np.flatnonzero(~played.lies)[-1] + 1
        assert angle_between(turned_back(up, rates[now:last]), played.axes[last:, :3].mean(axis=0)) < 5
    assert compared >= 5 * len(rounds)


def test_resting_blaster_shows_gravity_and_nothing_but_the_noise_of_the_sensor(rounds: list[Round]) -> None:
    for played in rounds:
        rest = played.axes[played.lies].astype(float)
        gyro_rms = np.sqrt((rest[:, 3:] ** 2).sum(axis=1).mean())
        assert 20 < gyro_rms < 40
        assert np.linalg.norm(rest[:, :3].mean(axis=0)) == pytest.approx(ACCEL_LSB_PER_G, rel=0.03)
        assert (rest[:, :3].std(axis=0) < 12).all()
        assert played.trigger[played.lies].max() == 0


def test_rounds_begin_and_end_in_one_pose_so_that_they_join_without_a_seam() -> None:
    for number in NUMBERS:
        user, rng = draw_user(number), np.random.default_rng(number)
        force = move(write_round(user, rng), user, rng).force_g
        np.testing.assert_allclose(force[:, 0], [-1, 0, 0], atol=1e-9)
        np.testing.assert_allclose(force[:, -1], [-1, 0, 0], atol=1e-9)


def test_movement_of_a_script_is_the_turn_that_the_gyroscope_sees() -> None:
    user, rng = draw_user(1), np.random.default_rng(1)
    script = Script(picked_up_s=0.5, put_down_s=2.5, duration_s=3.0)
    script.turn(0.5, 0.8, roll=-90.0)  # upright
    script.turn(1.5, 0.5, pitch=40.0)
    motion = move(script, user, rng)
    np.testing.assert_allclose(motion.rate_dps.sum(axis=1) * 0.01, [40.0, -90.0, 0.0], atol=0.01)
    np.testing.assert_allclose(motion.force_g[:, -1], [0.0, np.sin(np.radians(40)), np.cos(np.radians(40))], atol=1e-9)
    # Flash and Hogan: the fastest moment of a minimum-jerk movement is 15/8 of its average.
    assert motion.rate_dps[0].max() == pytest.approx(15 / 8 * 40 / 0.5, rel=0.01)


def test_feints_look_like_aims_that_end_in_a_shot_but_pull_nothing(rounds: list[Round]) -> None:
    scripts = [write_round(draw_user(number), np.random.default_rng(number)) for number in range(40)]
    feints = sum(len(script.feints) for script in scripts)
    shots = sum(len(script.pulls) for script in scripts)
    assert 0.05 < feints / (feints + shots) < 0.4
    for played in rounds:
        for time_s in played.script.feints:
            assert played.trigger[round(time_s * 100) : round(time_s * 100) + 5].max() == 0


def test_user_is_the_same_person_whenever_asked_for() -> None:
    one, other = draw_user(5), draw_user(5)
    assert one.mounting.tobytes() == other.mounting.tobytes()
    assert (one.vigour, one.dwell_s) == (other.vigour, other.dwell_s)
    np.testing.assert_allclose(one.mounting @ one.mounting.T, np.eye(3), atol=1e-12)
    assert draw_user(6).vigour != one.vigour


@pytest.mark.parametrize("count", [1, 511, 512, 4000])
def test_noise_has_the_length_asked_for(count: int) -> None:
    assert band_noise(np.random.default_rng(1), count, 1.0, 5.0).shape == (3, count)


def test_noise_has_unit_strength_within_its_band() -> None:
    noise = band_noise(np.random.default_rng(1), 100_000, 2.0, 8.0, columns=1)[0]
    power = np.abs(np.fft.rfft(noise)) ** 2
    frequency = np.fft.rfftfreq(noise.size, 0.01)
    assert noise.std() == pytest.approx(1, abs=0.03)
    assert power[(frequency > 1) & (frequency < 11)].sum() / power.sum() > 0.97
    turn = wandering(np.random.default_rng(1), 100_000, 0.4, 1.6)
    assert np.gradient(turn, 0.01, axis=1).std() == pytest.approx(1, abs=0.05)


def test_minimum_jerk_starts_and_ends_at_rest() -> None:
    part = np.linspace(0, 1, 1001)
    done = minimum_jerk(part)
    assert (done[0], done[500], done[-1]) == pytest.approx((0, 0.5, 1))
    assert np.diff(done)[[0, -1]] == pytest.approx([0, 0], abs=1e-8)


def test_unrest_of_every_kind_occurs() -> None:
    kinds = {
        stretch.kind for n in range(4) for stretch in write_round(draw_user(n), np.random.default_rng(n)).stretches
    }
    assert kinds == set(Unrest)
