from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.decision_parameters import DecisionParameters
from models.threshold import Threshold
from service.base.events import Shot, WheelsSwitched
from service.base.source import LinkState
from service.base.states import Stamps
from service.daemon.pipeline import Pipeline
from stinger.device_name import DeviceName
from stinger.errors import InputError
from tests.service.daemon.fakes import BrokenModel, FakeModel, KeepingSink, block, report, serving

A, B = DeviceName("a"), DeviceName("b")
MS = 1_000_000


def pipeline_of(model: FakeModel, *, threshold: Threshold | None = None) -> tuple[Pipeline, KeepingSink]:
    pipeline, sink = Pipeline(serving(model), min_shot_gap_ms=1000, threshold=threshold), KeepingSink()
    pipeline.subscribe(sink)
    return pipeline, sink


def thresholds(sink: KeepingSink) -> dict[str, float]:
    """The threshold of each device, as sinks last heard it."""
    return {model.device: model.threshold for model in sink.models}


def test_blocks_of_many_devices_are_scored_in_one_run() -> None:
    model = FakeModel()
    pipeline, sink = pipeline_of(model)
    pipeline.score([block(name, 0, 50) for name in "abc"])
    assert model.runs == [3]
    assert [part.device for part in sink.blocks] == ["a", "b", "c"]


def test_two_blocks_of_one_device_are_refused() -> None:
    pipeline, _ = pipeline_of(FakeModel())
    with pytest.raises(ValueError, match="a device has two blocks in one call"):
        pipeline.score([block("a", 0, 50), block("a", 50, 50)])


def test_shots_and_spin_ups_are_events_stamped_with_the_time_of_their_block() -> None:
    pipeline, sink = pipeline_of(FakeModel())
    scored = block("a", 0, 100, pull=90)
    pipeline.score([scored])
    on, shot = sink.events
    assert isinstance(on, WheelsSwitched)
    assert isinstance(shot, Shot)
    assert (shot.device, shot.device_ms, shot.model, shot.wheels_on) == ("a", 900, "v1", True)
    for stamps in sink.event_stamps:
        assert isinstance(stamps, Stamps)
        assert stamps.read_ns == scored.read_ns <= stamps.scored_ns


def test_blocks_with_a_rate_problem_are_passed_on_without_scores_and_their_shots_are_found() -> None:
    pipeline, sink = pipeline_of(FakeModel())
    problem = "50 samples a second; models take 100"
    slow = [replace(block("a", first, 100, pull=50), rate_problem=problem) for first in (0, 100, 200)]
    for one in slow:
        pipeline.score([one, block("b", int(one.samples["timestamp_ms"][0]) // 10, 100)])
    assert [part.device for part in sink.blocks] == ["a", "b"] * 3
    shots = [event for event in sink.events if event.device == "a"]
    assert [(type(shot), shot.device_ms, shot.wheels_on) for shot in shots if isinstance(shot, Shot)] == [
        (Shot, 500, False),
        (Shot, 1500, False),
        (Shot, 2500, False),
    ]
    assert len(shots) == 3  # no spin-ups
    assert any(event.device == "b" for event in sink.events)


def test_device_is_scored_again_with_a_full_window_after_a_rate_problem() -> None:
    pipeline, sink = pipeline_of(FakeModel())
    pipeline.score([block("a", 0, 49)])
    pipeline.score([replace(block("a", 49, 10), rate_problem="a problem")])
    pipeline.score([block("a", 59, 49)])
    assert sink.events == []
    pipeline.score([block("a", 108, 60)])
    assert isinstance(sink.events[0], WheelsSwitched)


def test_first_block_introduces_the_device_and_its_model_before_anything_else() -> None:
    pipeline, sink = pipeline_of(FakeModel())
    pipeline.score([block("a", 0, 100)])
    assert sink.calls == ["device", "model", "samples", "model_run", "event", "scores"]
    assert [(model.device, model.model, model.threshold) for model in sink.models] == [("a", "v1", 0.5)]


def test_first_link_report_introduces_the_device_too() -> None:
    pipeline, sink = pipeline_of(FakeModel())
    pipeline.link(report("a", LinkState.CONNECTING))
    assert sink.calls == ["device", "model", "link"]


def test_device_added_beforehand_is_known_and_introduced_once() -> None:
    pipeline, sink = pipeline_of(FakeModel())
    pipeline.add_device(A)
    assert pipeline.devices == (A,)
    pipeline.add_device(A)
    pipeline.score([block("a", 0, 10)])
    assert sink.devices == ["a"]


def test_events_of_all_devices_are_passed_on_before_the_scores() -> None:
    pipeline, sink = pipeline_of(FakeModel())
    pipeline.score([block("a", 0, 100), block("b", 0, 100)])
    assert [call for call in sink.calls if call in {"event", "scores"}] == ["event", "event", "scores", "scores"]


def test_lost_link_ends_the_spin_up_and_empties_the_window() -> None:
    pipeline, sink = pipeline_of(FakeModel())
    pipeline.score([block("a", 0, 100)])
    pipeline.link(report("a", LinkState.LOST))
    assert sink.switches() == [True, False]
    assert sink.event_stamps[-1] is None
    pipeline.score([block("a", 100, 49)])
    assert np.isnan(sink.probability[-1]).all()
    assert sink.reports[0].state is LinkState.LOST


def test_ending_all_links_switches_off_wheels_and_reports_each_link_once() -> None:
    pipeline, sink = pipeline_of(FakeModel())
    pipeline.add_device(DeviceName("silent"))
    pipeline.score([block("a", 0, 100)])
    pipeline.link(report("b", LinkState.LOST))
    pipeline.link(report("c", LinkState.ENDED))
    reports = len(sink.reports)
    pipeline.end_links("stopped")
    assert sink.switches() == [True, False]
    ended = [(one.device, one.state, one.reason) for one in sink.reports[reports:]]
    assert ended == [("a", LinkState.ENDED, "stopped"), ("b", LinkState.ENDED, "stopped")]
    pipeline.end_links("stopped")
    assert len(sink.reports) == reports + 2


def test_only_a_change_to_another_state_than_streaming_ends_the_stream() -> None:
    pipeline, _ = pipeline_of(FakeModel())
    assert not pipeline.ends_stream(report("a", LinkState.CONNECTING))
    pipeline.score([block("a", 0, 1)])
    assert not pipeline.ends_stream(report("a", LinkState.STREAMING))
    assert pipeline.ends_stream(report("a", LinkState.SILENT))
    pipeline.link(report("a", LinkState.SILENT))
    assert not pipeline.ends_stream(report("a", LinkState.SILENT))


def test_another_boot_empties_the_window_even_if_its_clock_seems_to_continue() -> None:
    pipeline, sink = pipeline_of(FakeModel())
    pipeline.score([block("a", 0, 60)])
    pipeline.score([block("a", 60, 49, boot=1)])
    assert np.isnan(sink.probability[1]).all()


def test_gap_is_counted_and_passed_on() -> None:
    pipeline, sink = pipeline_of(FakeModel())
    pipeline.score([block("a", 0, 60), block("b", 0, 60)])
    pipeline.score([block("b", 100, 60)])
    assert sink.gaps == ["b"]


def test_wheels_of_a_silent_device_go_off_at_a_tick() -> None:
    silent = block("a", 0, 60)
    now_ns = silent.read_ns + 10 * MS
    pipeline, sink = Pipeline(serving(FakeModel()), min_shot_gap_ms=1000, monotonic_ns=lambda: now_ns), KeepingSink()
    pipeline.subscribe(sink)
    pipeline.score([silent])
    pipeline.tick()
    assert sink.switches() == [True]
    assert pipeline.any_wheels_on
    now_ns += 300 * MS
    pipeline.tick()
    assert sink.switches() == [True, False]
    assert sink.event_stamps[-1] is None
    assert not pipeline.any_wheels_on


def test_exception_of_the_model_reaches_the_caller() -> None:
    pipeline, _ = pipeline_of(BrokenModel())
    with pytest.raises(RuntimeError, match="out of order"):
        pipeline.score([block("a", 0, 60)])


def test_model_is_changed_without_losing_a_sample_and_every_sink_is_notified() -> None:
    pipeline, sink = pipeline_of(FakeModel(0.1))
    pipeline.score([block("a", 0, 60)])
    pipeline.use_model(serving(FakeModel(0.8, DecisionParameters(on=0.3)), "v2"))
    pipeline.score([block("a", 60, 20)])
    np.testing.assert_allclose(sink.probability[1], 0.8)
    assert pipeline.model == "v2"
    assert isinstance(sink.events[0], WheelsSwitched)
    assert sink.events[0].model == "v2"
    assert [(model.model, model.threshold) for model in sink.models] == [("v1", 0.5), ("v2", 0.3)]


def test_threshold_of_one_device_survives_another_model_and_does_not_touch_the_others() -> None:
    pipeline, sink = pipeline_of(FakeModel(0.6))
    pipeline.add_device(A)
    pipeline.set_threshold(A, Threshold(0.95))
    pipeline.use_model(serving(FakeModel(0.6), "v2"))
    pipeline.score([block(name, 0, 100) for name in "ab"])
    assert {event.device for event in sink.events} == {"b"}
    assert thresholds(sink) == {"a": 0.95, "b": 0.5}


def test_threshold_of_one_device_keeps_the_other_parameters_of_the_model_in_use() -> None:
    pipeline, sink = pipeline_of(FakeModel(0.9))
    pipeline.add_device(A)
    pipeline.set_threshold(A, Threshold(0.6))
    slow = DecisionParameters(attack=0.001)
    pipeline.use_model(serving(FakeModel(0.9, slow), "v2"))
    pipeline.score([block("a", 0, 100)])
    assert sink.switches() == []


def test_threshold_for_all_replaces_those_of_single_devices() -> None:
    pipeline, sink = pipeline_of(FakeModel())
    for name in (A, B):
        pipeline.add_device(name)
    pipeline.set_threshold(A, Threshold(0.9))
    pipeline.set_threshold(None, Threshold(0.7))
    assert thresholds(sink) == {"a": 0.7, "b": 0.7}


def test_threshold_outside_its_range_is_refused_and_changes_nothing() -> None:
    pipeline, sink = pipeline_of(FakeModel())
    pipeline.add_device(A)
    for device in (A, None):
        with pytest.raises(InputError, match="threshold"):
            pipeline.set_threshold(device, Threshold(7))
    pipeline.add_device(B)
    assert thresholds(sink) == {"a": 0.5, "b": 0.5}


def test_configured_threshold_holds_for_every_model_until_it_is_removed() -> None:
    pipeline, sink = pipeline_of(FakeModel(), threshold=Threshold(0.8))
    pipeline.add_device(A)
    assert thresholds(sink) == {"a": 0.8}
    pipeline.use_model(serving(FakeModel(decision=DecisionParameters(on=0.3)), "v2"))
    assert thresholds(sink) == {"a": 0.8}
    pipeline.configure_threshold(None)
    assert thresholds(sink) == {"a": 0.3}
    pipeline.use_model(serving(FakeModel(decision=DecisionParameters(on=0.4)), "v3"))
    assert thresholds(sink) == {"a": 0.4}


def test_configuring_a_threshold_replaces_those_set_for_single_devices() -> None:
    pipeline, sink = pipeline_of(FakeModel())
    pipeline.add_device(A)
    pipeline.set_threshold(A, Threshold(0.9))
    pipeline.configure_threshold(Threshold(0.6))
    assert thresholds(sink) == {"a": 0.6}


def test_forgotten_device_ends_its_spin_up_and_is_new_when_it_returns() -> None:
    pipeline, sink = pipeline_of(FakeModel())
    pipeline.score([block("a", 0, 100)])
    pipeline.set_threshold(A, Threshold(0.9))
    pipeline.forget(A)
    assert sink.switches() == [True, False]
    assert (pipeline.devices, pipeline.any_wheels_on) == ((), False)
    pipeline.tick()
    pipeline.score([block("a", 200, 10)])
    assert sink.devices == ["a", "a"]
    assert thresholds(sink) == {"a": 0.5}
    pipeline.forget(B)


def test_warm_up_fills_the_window_and_the_wheels_but_reaches_no_sink() -> None:
    pipeline, sink = pipeline_of(FakeModel())
    pipeline.score([replace(block("a", 0, 100, pull=90), warm_up=True)])
    assert (sink.blocks, sink.events, sink.probability, sink.gaps) == ([], [], [], [])
    pipeline.score([block("a", 100, 10, pull=5)])
    assert not np.isnan(sink.probability[0]).any()
    (shot,) = sink.events
    assert isinstance(shot, Shot)
    assert (shot.wheels_on, shot.accepted) == (True, False)


def test_warm_up_across_a_reboot_passes_on_no_event() -> None:
    pipeline, sink = pipeline_of(FakeModel())
    pipeline.score([replace(block("a", 0, 100), warm_up=True)])
    pipeline.score([replace(block("a", 0, 20, boot=1), warm_up=True)])
    assert sink.events == []


def test_released_device_leaves_without_an_event_and_is_new_when_it_returns() -> None:
    pipeline, sink = pipeline_of(FakeModel())
    pipeline.score([block("a", 0, 100)])
    assert sink.switches() == [True]
    pipeline.set_threshold(A, Threshold(0.7))
    pipeline.release(A)
    pipeline.tick()
    assert (sink.switches(), sink.released, pipeline.devices) == ([True], [A], ())
    pipeline.score([block("a", 100, 10)])
    assert sink.devices == [A, A]
    assert np.isnan(sink.probability[-1]).all()
    assert thresholds(sink) == {A: 0.7}
