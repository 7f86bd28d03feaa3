"""Which shots are drawn."""

from __future__ import annotations

import numpy as np
import pytest

from models.sessions import Session
from models.windows import span_of
from replay.plots.forecast import Forecast, forecast_of
from replay.plots.shot_choice import ShotOrder, choose_shots
from replay.trace import Trace
from stinger.recording import split_recordings
from stinger.shots import find_shots
from tests.helpers.samples import samples_at
from tests.helpers.synthetic import synthetic_samples

SHOTS = 10


def made(seed: int) -> tuple[Session, Forecast]:
    """Return a session with ten shots or more, and a forecast that is the higher, the later the shot."""
    (recording,) = split_recordings(synthetic_samples(6000, SHOTS, seed=seed))
    session = Session(f"made{seed}", recording, find_shots(recording), 0)
    probability = np.linspace(0, 1, len(recording)).astype(np.float32)
    return session, forecast_of([Trace(session, probability)], span_of(recording))


@pytest.fixture(scope="module")
def two() -> tuple[list[Session], list[Forecast]]:
    both = [made(1), made(2)]
    return [session for session, _ in both], [forecast for _, forecast in both]


def times(session: Session) -> list[int]:
    found: list[int] = session.shots.time_ms[session.shots.accepted].tolist()
    return found


def test_best_and_worst_are_those_with_the_highest_and_lowest_probability_before_them(
    two: tuple[list[Session], list[Forecast]],
) -> None:
    everything = [(time, position) for position, session in enumerate(two[0]) for time in times(session)]
    best = choose_shots(ShotOrder.BEST, *two, 3)
    assert [time for _, time in best] == [time for time, _ in sorted(everything, reverse=True)[:3]]
    assert list(best.values()) == [f"best predicted, no. {number}" for number in (1, 2, 3)]
    worst = choose_shots(ShotOrder.WORST, *two, 3)
    with_window = [(time, position) for time, position in everything if time >= 600]
    assert [time for _, time in worst] == [time for time, _ in sorted(with_window)[:3]]


def test_instructive_are_a_third_each_and_no_shot_twice(two: tuple[list[Session], list[Forecast]]) -> None:
    chosen = choose_shots(ShotOrder.INSTRUCTIVE, *two, 9)
    kinds = [note.split(",")[0] for note in chosen.values()]
    assert {kind: kinds.count(kind) for kind in kinds} == {"best predicted": 3, "worst predicted": 3, "most typical": 3}


@pytest.mark.parametrize("order", list(ShotOrder))
def test_if_there_are_fewer_shots_than_wanted_all_are_drawn(
    order: ShotOrder, two: tuple[list[Session], list[Forecast]]
) -> None:
    everything = {(position, time) for position, session in enumerate(two[0]) for time in times(session)}
    with_window = {shot for shot in everything if shot[1] >= 600}
    assert set(choose_shots(order, *two, 1000)) == (everything if order is ShotOrder.FIRST else with_window)
    assert choose_shots(order, *two, 0) == {}


def test_typical_is_the_usual_motion_and_not_the_odd_one() -> None:
    rng = np.random.default_rng(1)
    trigger, axes = np.zeros(3000), rng.normal(0, 100, (3000, 6))
    shots = np.arange(200, 2900, 300)
    trigger[shots] = 1
    odd = int(shots[4])
    axes[odd - 60 : odd] *= 30
    (recording,) = split_recordings(samples_at(np.arange(3000) * 10, trigger=trigger, channels=axes))
    session = Session("made", recording, find_shots(recording), 0)
    forecast = forecast_of([Trace(session, np.full(3000, 0.5, dtype=np.float32))], span_of(recording))
    chosen = choose_shots(ShotOrder.TYPICAL, [session], [forecast], len(shots) - 1)
    assert (0, 10 * odd) not in chosen
    assert len(chosen) == len(shots) - 1


def test_the_first_are_in_order_without_a_note(two: tuple[list[Session], list[Forecast]]) -> None:
    assert choose_shots(ShotOrder.FIRST, *two, 2) == {(0, time): "" for time in times(two[0][0])[:2]}
