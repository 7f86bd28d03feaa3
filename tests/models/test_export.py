"""Training sets: which windows become rows, and what stops an export."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.dataset import Dataset, read_dataset, write_dataset
from models.export import ExportOptions, build_dataset
from models.negatives import RECOMMENDED, NegativeOptions, Strategy
from models.sessions import Session, open_sessions
from models.windows import motion_scores
from stinger.errors import InputError
from stinger.logs import read_log
from stinger.recording import split_recordings
from stinger.sample import SampleArray
from stinger.shots import find_shots
from tests.helpers.samples import samples_at
from tests.helpers.synthetic import synthetic_samples


def sessions_of(*logs: SampleArray) -> tuple[Session, ...]:
    sessions: list[Session] = []
    first = 0
    for number, samples in enumerate(logs):
        for recording in split_recordings(samples):
            session = Session(f"log{number}", recording, find_shots(recording), first)
            sessions.append(session)
            first += session.accepted_shots
    return tuple(sessions)


def export(*logs: SampleArray, options: ExportOptions | None = None, **negatives: object) -> Dataset:
    chosen = replace(NegativeOptions(), **negatives)  # type: ignore[arg-type]  # names are the test's
    return build_dataset(sessions_of(*logs), options or ExportOptions(negatives=chosen), about={})


@settings(max_examples=40, deadline=None)
@given(
    strategy=st.sampled_from(["far", "near", "mixed"]),
    mult=st.integers(1, 6),
    quantile=st.sampled_from([0.0, 0.2, 0.7]),
    match=st.booleans(),
    replacement=st.booleans(),
    sep_ms=st.sampled_from([0, 10, 200, 333.3]),
    post_ms=st.sampled_from([0, 600, 1000]),
    edges=st.sampled_from(["accepted", "all"]),
    seed=st.integers(0, 50),
)
def test_every_row_keeps_the_rules(
    *,
    strategy: Strategy,
    mult: int,
    quantile: float,
    match: bool,
    replacement: bool,
    sep_ms: float,
    post_ms: float,
    edges: str,
    seed: int,
) -> None:
    sessions = sessions_of(
        *(synthetic_samples(4000, 14, seed=seed + i, gaps=4, bursts=4) for i in range(2)),
    )
    options = NegativeOptions(
        strategy=strategy,
        mult=mult,
        min_motion_quantile=quantile,
        match_pos_motion=match,
        with_replacement=replacement,
        min_sep_ms=sep_ms,
        avoid_post_ms=post_ms,
        avoid_edges="all" if edges == "all" else "accepted",
    )
    dataset = build_dataset(sessions, ExportOptions(negatives=options, seed=seed), about={})
    rows, positive = dataset.rows, dataset.labels == 1
    assert positive[: int(positive.sum())].all()
    assert 0 < (~positive).sum() <= mult * positive.sum()
    assert set(rows.session) <= {"log0", "log1"}
    for session in sessions:
        recording, shots = session.recording, session.shots
        own = rows.session == session.name
        avoided = shots.time_ms if edges == "all" else shots.time_ms[shots.accepted]
        for row in np.flatnonzero(own):
            start = int(np.searchsorted(recording.time_ms, rows.window_start_ms[row]))
            end = start + 50
            assert (dataset.windows[row] == recording.axes[start:end]).all()
            assert recording.time_ms[end - 1] == rows.window_end_ms[row]
            assert np.diff(recording.time_ms[start : end + 1]).max() <= 50
            event_ms = rows.event_timestamp_ms[row]
            assert rows.distance_to_shot_ms[row] == event_ms - rows.shot_timestamp_ms[row]
            if positive[row]:
                assert recording.time_ms[end + 10] == event_ms == rows.shot_timestamp_ms[row]
            else:
                assert recording.time_ms[end] == event_ms
                assert not recording.trigger[start:end].any()
                assert not ((event_ms >= avoided - 600) & (event_ms <= avoided + post_ms)).any()
                nearest = np.abs(shots.time_ms[shots.accepted] - event_ms).min()
                assert abs(rows.distance_to_shot_ms[row]) == nearest
        ends = np.sort(rows.event_timestamp_ms[own & ~positive])
        assert ends.size < 2 or np.diff(ends).min() >= sep_ms
        assert np.unique(ends).size == ends.size


def slow_far_candidates(session: Session, options: NegativeOptions) -> set[int]:
    """The rules for far negatives, one window at a time."""
    recording, shots = session.recording, session.shots
    scores = motion_scores(recording.axes, 50)
    times = recording.time_ms.tolist()
    fit = []
    for end in range(50, len(recording)):
        window = range(end - 50, end)
        whole = all(times[i + 1] - times[i] <= 50 for i in window)
        pressed = any(recording.trigger[i] for i in window)
        near = any(edge - 600 <= times[end] <= edge + options.avoid_post_ms for edge in shots.time_ms.tolist())
        if whole and not pressed and not near:
            fit.append(end)
    ordered = sorted(scores[end] for end in fit)
    least = ordered[math.floor(options.min_motion_quantile * (len(ordered) - 1))]
    fit = [end for end in fit if scores[end] >= least]
    positives = sorted(
        scores[index - 10]
        for index in shots.index[shots.accepted].tolist()
        if index >= 60 and all(times[i + 1] - times[i] <= 50 for i in range(index - 60, index))
    )
    low = positives[math.floor(options.pos_motion_q * (len(positives) - 1))]
    high = positives[math.ceil((1 - options.pos_motion_q) * (len(positives) - 1))]
    return {times[end] for end in fit if low <= scores[end] <= high}


@pytest.mark.parametrize("seed", range(3))
def test_far_candidates_are_those_of_the_slow_rules(seed: int) -> None:
    samples = synthetic_samples(2500, 8, seed=seed, gaps=2, bursts=3)
    options = NegativeOptions(min_motion_quantile=0.3, match_pos_motion=True, pos_motion_q=0.1, min_sep_ms=0, mult=999)
    (session,) = sessions_of(samples)
    dataset = build_dataset((session,), ExportOptions(negatives=options), about={})
    assert set(dataset.rows.event_timestamp_ms[dataset.labels == 0].tolist()) == slow_far_candidates(session, options)


def test_near_negatives_end_in_the_band_before_a_positive() -> None:
    dataset = export(synthetic_samples(6000, 10, seed=3), strategy="near", mult=3, near_min_ms=200, near_max_ms=900)
    positive_starts = dataset.rows.window_start_ms[dataset.labels == 1]
    for end_ms in dataset.rows.event_timestamp_ms[dataset.labels == 0].tolist():
        assert ((positive_starts - end_ms >= 200) & (positive_starts - end_ms <= 900)).any()


@pytest.mark.parametrize("quantile", [0.0, 0.3, 0.99, 1.0])
def test_the_stillest_part_of_the_candidates_goes(quantile: float) -> None:
    (session,) = sessions_of(synthetic_samples(2500, 8, gaps=2))
    options = NegativeOptions(min_motion_quantile=quantile, min_sep_ms=0, mult=999)
    dataset = build_dataset((session,), ExportOptions(negatives=options), about={})
    every = build_dataset((session,), ExportOptions(negatives=replace(options, min_motion_quantile=0.0)), about={})

    def scores(of: Dataset) -> list[float]:
        ends = np.searchsorted(session.recording.time_ms, of.rows.event_timestamp_ms[of.labels == 0])
        return sorted(motion_scores(session.recording.axes, 50)[ends].tolist())

    assert scores(dataset) == scores(every)[math.floor(quantile * (len(scores(every)) - 1)) :]


def test_with_replacement_three_times_as_many_are_drawn_as_wanted() -> None:
    samples = synthetic_samples(20_000, 10, seed=3)
    there = export(samples, mult=9999, min_sep_ms=0).meta["negatives"]
    chosen = export(samples, mult=there // 10, min_sep_ms=0, with_replacement=True).meta["negatives"]
    # So many different ones are among three draws for each that there is.
    assert chosen / there == pytest.approx(1 - math.exp(-3), abs=0.01)


def test_part_of_near_ones_is_rounded_for_each_shot() -> None:
    dataset = export(synthetic_samples(60_000, 10, seed=3), strategy="mixed", mixed_near_frac=0.6, mult=3, min_sep_ms=0)
    counts = dataset.meta["negative_filters"]
    assert (counts["near"]["chosen"], counts["far"]["chosen"]) == (20, 10)


def test_a_boot_of_one_window_lead_and_shot_is_long_enough() -> None:
    trigger = np.zeros(61)
    trigger[60] = 1
    dataset = export(samples_at(np.arange(61) * 10, trigger=trigger), synthetic_samples(3000, 6))
    assert dataset.rows.window_start_ms[0] == 0
    assert dataset.meta["positives"] == 7


def test_of_two_shots_equally_near_a_negative_names_the_earlier() -> None:
    trigger = np.zeros(1001)
    trigger[[100, 900]] = 1
    dataset = export(samples_at(np.arange(1001) * 10, trigger=trigger), mult=500, min_sep_ms=0)
    nearest = dict(zip(dataset.rows.event_timestamp_ms.tolist(), dataset.rows.shot_num.tolist(), strict=True))
    assert (nearest[4990], nearest[5000], nearest[5010]) == (0, 0, 1)


def test_mixed_fills_up_with_far_ones() -> None:
    dataset = export(synthetic_samples(20_000, 10, seed=3), strategy="mixed", mixed_near_frac=0.5, mult=4)
    counts = dataset.meta["negative_filters"]
    assert counts["near"]["chosen"] == 20
    assert counts["far"]["chosen"] == 20


def test_what_filters_remove_and_what_stays_is_all_there_was() -> None:
    counts = export(synthetic_samples(9000, 20, gaps=3, bursts=5)).meta["negative_filters"]["far"]
    assert counts.pop("candidates") == 9000 == sum(counts.values())


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(tmp_path: Path) -> None:
    samples = synthetic_samples(20_000, 50, bursts=10)
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        (tmp_path / name).mkdir()
        write_dataset(tmp_path / name, export(samples, options=ExportOptions(negatives=RECOMMENDED, seed=seed)))
    contents = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in "abc"]
    assert contents[0] == contents[1]
    assert contents[0]["windows_i16le.bin"] != contents[2]["windows_i16le.bin"]


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    dataset = export(synthetic_samples(6000, 10), synthetic_samples(6000, 10, seed=2))
    write_dataset(tmp_path, dataset)
    back = read_dataset(tmp_path)
    assert (back.windows == dataset.windows).all()
    assert back.rows.session.tolist() == dataset.rows.session.tolist()
    assert back.meta["positives"] == int(dataset.labels.sum())


def test_a_session_without_shots_gives_negatives() -> None:
    still = synthetic_samples(6000, 10, seed=2)
    still["trigger"] = 0
    dataset = export(synthetic_samples(3000, 6), still, mult=20)
    alone = dataset.rows.session == "log1"
    assert alone.any()
    assert not dataset.labels[alone].any()
    assert (dataset.rows.shot_num[alone] == -1).all()


def test_shot_numbers_continue_from_session_to_session() -> None:
    dataset = export(synthetic_samples(3000, 6, bursts=3), synthetic_samples(3000, 6, seed=2, bursts=3))
    assert dataset.rows.shot_num[dataset.labels == 1].tolist() == list(range(12))


def test_a_shot_too_early_for_a_whole_window_is_left_out_and_counted() -> None:
    trigger = np.zeros(1000)
    trigger[[40, 400]] = 1
    dataset = export(samples_at(np.arange(1000) * 10, trigger=trigger))
    assert dataset.meta["positives"] == 1
    assert dataset.meta["positives_left_out"] == 1
    assert dataset.rows.shot_num[0] == 1


def test_a_boot_too_short_for_a_window_is_passed_over() -> None:
    short = samples_at([0, 5, 10])
    dataset = export(short, synthetic_samples(3000, 6))
    assert dataset.meta["sessions_too_short"] == ["log0"]
    assert dataset.meta["sessions"] == ["log1"]


def test_error_without_negatives_names_how_many_each_filter_removed() -> None:
    trigger = np.zeros(1000)
    trigger[100] = 1
    message = r"of 1,000 far candidates 50 reach across a gap .*, 50 hold a trigger, 900 end too near a trigger edge"
    with pytest.raises(InputError, match=message):
        export(samples_at(np.arange(1000) * 10, trigger=trigger), avoid_post_ms=60_000)


def test_error_names_a_missing_trigger() -> None:
    with pytest.raises(InputError, match="the trigger is never pulled"):
        export(samples_at(np.arange(1000) * 10))


def test_error_without_a_whole_positive_has_the_reason() -> None:
    trigger = np.zeros(1000)
    trigger[[20, 60]] = 1
    with pytest.raises(InputError, match=r"of 2 trigger edges, 1 come too soon .* of 1 would start before"):
        export(samples_at(np.arange(1000) * 10, trigger=trigger))


def test_recordings_of_different_rates_do_not_mix() -> None:
    slow = synthetic_samples(3000, 6, seed=2)
    slow["timestamp_ms"] *= 2
    with pytest.raises(InputError, match="log1 has 25 samples in 500 ms, log0 has 50"):
        export(synthetic_samples(3000, 6), slow)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mult": 0}, "expected at least 1"),
        ({"mixed_near_frac": 1.5}, "mixed_near_frac is 1.5: expected 0 to 1"),
        ({"pos_motion_q": math.nan}, "pos_motion_q is nan"),
        ({"near_min_ms": 900, "near_max_ms": 800}, "the near band is 900 to 800 ms"),
        ({"avoid_post_ms": -1}, "expected 0 or more"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(NegativeOptions(), **options)  # type: ignore[arg-type]  # names are the test's


def test_the_real_recording_yields_what_its_length_allows(capture_csv: Path) -> None:
    sessions = open_sessions([read_log(capture_csv)])
    options = replace(RECOMMENDED, avoid_post_ms=600)
    for seed in range(1, 6):
        dataset = build_dataset(sessions, ExportOptions(negatives=options, seed=seed), about={})
        assert dataset.meta["positives"] == 10
        assert 26 <= dataset.meta["negatives"] <= 36
