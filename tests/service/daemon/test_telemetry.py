from __future__ import annotations

from service.base.events import Telemetry
from service.base.source import LinkState
from service.daemon.pipeline import Pipeline
from service.daemon.telemetry import TelemetrySink
from tests.service.daemon.fakes import HOST_S, FakeModel, block, report, serving


def counted(model: FakeModel | None = None) -> tuple[Pipeline, TelemetrySink]:
    pipeline, figures = Pipeline(serving(model or FakeModel()), min_shot_gap_ms=1000), TelemetrySink()
    pipeline.subscribe(figures)
    return pipeline, figures


def one(figures: TelemetrySink) -> Telemetry:
    (telemetry,) = figures.take(HOST_S)
    return telemetry


def test_telemetry_holds_rate_latency_link_and_losses() -> None:
    pipeline, figures = counted()
    pipeline.link(report("a", LinkState.STREAMING))
    pipeline.score([block("a", 0, 100)])
    telemetry = one(figures)
    assert (telemetry.rate_hz, telemetry.lost, telemetry.link, telemetry.wheels_on) == (100, 3, "streaming", True)
    assert (telemetry.device, telemetry.host_s, telemetry.model) == ("a", HOST_S, "v1")
    assert telemetry.latency_p50_ms is not None
    assert telemetry.latency_p99_ms is not None
    idle = one(figures)
    assert (idle.rate_hz, idle.latency_p50_ms) == (0, None)


def test_gaps_of_each_device_are_counted_since_the_start() -> None:
    pipeline, figures = counted()
    pipeline.score([block("a", 0, 60), block("b", 0, 60)])
    pipeline.score([block("b", 100, 60)])
    for _ in range(2):
        assert {telemetry.device: telemetry.gaps for telemetry in figures.take(HOST_S)} == {"a": 0, "b": 1}


def test_probability_is_that_of_the_last_sample_or_none() -> None:
    pipeline, figures = counted(FakeModel(0.25))
    pipeline.score([block("a", 0, 60)])
    assert one(figures).probability == 0.25
    pipeline.score([block("a", 100, 10)])  # after a gap
    assert one(figures).probability is None
    pipeline.score([block("a", 110, 50)])
    pipeline.link(report("a", LinkState.LOST))
    telemetry = one(figures)
    assert (telemetry.probability, telemetry.link) == (None, "lost")


def test_wheels_of_a_lost_device_are_off() -> None:
    pipeline, figures = counted()
    pipeline.score([block("a", 0, 100)])
    assert one(figures).wheels_on
    pipeline.link(report("a", LinkState.LOST))
    assert not one(figures).wheels_on


def test_model_is_the_one_in_use_even_for_a_device_that_was_not_heard() -> None:
    pipeline, figures = counted()
    pipeline.link(report("a", LinkState.CONNECTING))
    pipeline.use_model(serving(FakeModel(), "v2"))
    assert one(figures).model == "v2"
