from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from service.base.source import LinkState
from service.base.states import ModelInUse, Stamps
from service.daemon.pipeline import Pipeline
from service.daemon.sinks import MqttSink
from service.mqtt.messages import OutgoingMessage
from service.mqtt.publisher import Publisher
from stinger.device_name import DeviceName
from tests.helpers.events import shot, spin_up
from tests.service.daemon.fakes import FakeModel, block, report, serving


class FakePublisher:
    """Keeps the messages that it is given."""

    def __init__(self) -> None:
        self.messages: list[OutgoingMessage] = []

    def put(self, message: OutgoingMessage) -> None:
        self.messages.append(message)

    def topics(self) -> list[str]:
        return [message.topic for message in self.messages]

    def content(self, topic: str) -> list[dict[str, Any]]:
        return [json.loads(message.payload) for message in self.messages if message.topic == topic]


def sink_of(publisher: FakePublisher, **options: Any) -> MqttSink:
    settings: dict[str, Any] = {"version": "1.0", "publish_scores": False, "home_assistant": False}
    return MqttSink(cast(Publisher, publisher), **(settings | options))


def published(*, seconds: int = 1, **options: Any) -> FakePublisher:
    """What is published of a device that streams for a time with the trigger pulled once, and is then lost."""
    publisher = FakePublisher()
    pipeline = Pipeline(serving(FakeModel()), min_shot_gap_ms=1000)
    pipeline.subscribe(sink_of(publisher, **options))
    pipeline.score([block("a", 0, 100 * seconds, pull=90)])
    pipeline.link(report("a", LinkState.LOST))
    return publisher


def test_events_and_states_are_published_in_order_with_the_model_first() -> None:
    assert published().topics() == [f"stinger/a/{name}" for name in ("model", "spinup", "shot", "spinup", "link")]


def test_home_assistant_learns_of_a_device_before_anything_else() -> None:
    topics = published(home_assistant=True).topics()
    assert topics[0] == "homeassistant/device/stinger_a/config"
    assert topics.count(topics[0]) == 1


def test_model_and_threshold_are_published_when_they_change() -> None:
    publisher = FakePublisher()
    sink_of(publisher).on_model(ModelInUse(DeviceName("a"), 1.5, "v2", 0.7))
    (content,) = publisher.content("stinger/a/model")
    assert (content["model"], content["threshold"], content["unix_s"]) == ("v2", 0.7, 1.5)


def test_scores_are_published_only_if_wanted_and_after_the_events_that_they_caused() -> None:
    assert "stinger/a/scores" not in published().topics()
    publisher = published(publish_scores=True)
    topics = publisher.topics()
    assert topics.index("stinger/a/shot") < topics.index("stinger/a/scores")
    (content,) = publisher.content("stinger/a/scores")
    assert content["probabilities"][48:50] == [None, pytest.approx(0.9)]


def test_stamps_are_in_scores_shots_and_spin_ups_that_begin() -> None:
    publisher = published(publish_scores=True, stamps=True)
    (shot,), (scores,) = publisher.content("stinger/a/shot"), publisher.content("stinger/a/scores")
    began, ended = publisher.content("stinger/a/spinup")
    for content in (shot, scores, began):
        assert content["stamps"]["read_ns"] <= content["stamps"]["scored_ns"]
    assert "stamps" not in ended
    assert all("stamps" not in content for content in published(publish_scores=True).content("stinger/a/shot"))


def test_link_report_that_only_repeats_the_one_before_is_not_published() -> None:
    publisher = FakePublisher()
    sink = sink_of(publisher)
    first = report("a", LinkState.STREAMING)
    sink.on_link(first)
    sink.on_link(replace(first, counters=replace(first.counters, samples=500)))
    assert len(publisher.messages) == 1
    sink.on_link(replace(first, counters=replace(first.counters, lost=9)))
    assert len(publisher.messages) == 2


def test_scores_can_be_switched_on_while_the_daemon_runs() -> None:
    publisher = FakePublisher()
    sink = sink_of(publisher)
    scored, probability = block("a", 0, 1), np.array([0.5], dtype=np.float32)
    sink.on_scores(scored, probability, Stamps(1, 2))
    sink.publish_scores = True
    sink.on_scores(scored, probability, Stamps(1, 2))
    assert publisher.topics() == ["stinger/a/scores"]


def scores_of(publisher: FakePublisher) -> list[tuple[int, int]]:
    """Time of the first and number of each message of scores."""
    return [(one["first_device_ms"], len(one["probabilities"])) for one in publisher.content("stinger/a/scores")]


def add_scores(sink: MqttSink, starts: list[int], count: int) -> None:
    for start in starts:
        sink.on_scores(block("a", start // 10, count), np.full(count, 0.5, np.float32), Stamps(1, 2))


def test_scores_of_short_blocks_are_published_together_and_the_first_at_once() -> None:
    publisher = FakePublisher()
    add_scores(sink_of(publisher, publish_scores=True), list(range(0, 400, 20)), 2)
    assert scores_of(publisher) == [(0, 2), (20, 10), (120, 10), (220, 10)]


def test_scores_do_not_wait_across_a_gap_nor_beyond_the_next_link_report() -> None:
    publisher = FakePublisher()
    sink = sink_of(publisher, publish_scores=True)
    add_scores(sink, [0, 20, 40, 500, 520], 2)
    assert scores_of(publisher) == [(0, 2), (20, 4), (500, 2)]
    sink.on_link(report("a", LinkState.STREAMING))
    add_scores(sink, [540], 2)
    sink.on_link(report("a", LinkState.LOST))
    assert scores_of(publisher)[3:] == [(520, 2), (540, 2)]
    assert publisher.topics()[-1] == "stinger/a/link"


def test_with_stamps_each_block_of_scores_is_published_at_once() -> None:
    publisher = FakePublisher()
    add_scores(sink_of(publisher, publish_scores=True, stamps=True), [0, 20, 40], 2)
    assert scores_of(publisher) == [(0, 2), (20, 2), (40, 2)]


def test_scores_of_a_forgotten_device_are_not_published_with_those_of_its_successor() -> None:
    publisher = FakePublisher()
    sink = sink_of(publisher, publish_scores=True)
    add_scores(sink, [0, 20], 2)
    sink.on_forget(DeviceName("a"))
    add_scores(sink, [40], 2)
    assert scores_of(publisher) == [(0, 2), (40, 2)]


def test_retained_messages_of_a_forgotten_device_are_cleared() -> None:
    publisher = FakePublisher()
    sink_of(publisher).on_forget(DeviceName("a"))
    assert {message.topic for message in publisher.messages} == {
        "stinger/a/spinup",
        "stinger/a/link",
        "stinger/a/model",
        "homeassistant/device/stinger_a/config",
    }
    assert all(message.retain and not message.payload for message in publisher.messages)


def test_lost_spin_ups_are_not_published_after_newer_ones_and_lost_shots_are() -> None:
    publisher = FakePublisher()
    sink = sink_of(publisher)
    sink.publish_lost([spin_up("a", on=False), shot("a")], "lr-1")
    sink.publish_lost([spin_up("b"), shot("b")], "another model")
    assert publisher.topics() == ["stinger/a/spinup", "stinger/a/shot", "stinger/b/shot"]
    sink.on_event(spin_up("a"), None)
    sink.publish_lost([spin_up("a", on=False), shot("a")], "lr-1")
    assert publisher.topics()[3:] == ["stinger/a/spinup", "stinger/a/shot"]
