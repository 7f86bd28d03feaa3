from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from models.factory import factory_model
from models.threshold import Threshold
from service.base.source import Block, Intake
from service.config.broker_address import parse_broker_url
from service.config.config import KEYS, BrokerConfig, Config, LogConfig, RecorderConfig
from service.config.source_url import parse_source_urls
from service.daemon.construction import build_parts
from service.daemon.daemon import Daemon, DaemonFailedError
from service.daemon.parts import Parts, Wrappers
from service.ops.systemd import Notifier
from stinger.device_name import DeviceName
from stinger.errors import InputError, UnavailableError
from stinger.logs import write_log
from stinger.quantities import parse_duration
from tests.helpers.patience import PATIENCE_S
from tests.helpers.samples import random_samples
from tests.service.daemon.fakes import KeepingSink, block

OWN = factory_model().meta.decision.on
"""The factory model's own threshold."""
A = DeviceName("a")


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Undo what a reload does to logging."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@dataclass
class Opened:
    parts: Parts
    daemon: Daemon
    sink: KeepingSink
    """Stands for the sink that publishes."""
    config: Config

    def thresholds(self) -> dict[str, float]:
        return {model.device: model.threshold for model in self.sink.models}

    def reload(self, **changes: Any) -> None:
        self.config = replace(self.config, **changes)
        self.daemon.reload(self.config)


def configured(folder: Path, **values: Any) -> Config:
    """Two devices, neither of which can be reached, and a broker that cannot be reached either."""
    defaults: dict[str, Any] = {
        "data_dir": folder,
        "model": "factory",
        "sources": parse_source_urls(["tcp://127.0.0.1:1?device=a", "tcp://127.0.0.1:2?device=b"]),
        "broker": BrokerConfig(url=parse_broker_url("mqtt://127.0.0.1:1")),
    }
    return Config(**(defaults | values))


@asynccontextmanager
async def opened(
    folder: Path,
    *,
    sink: KeepingSink | None = None,
    intake: Callable[[Intake], Intake] = lambda intake: intake,
    **values: Any,
) -> AsyncIterator[Opened]:
    sink, config = sink or KeepingSink(), configured(folder, **values)
    async with AsyncExitStack() as stack:
        wrappers = Wrappers(mqtt_sink=lambda _: sink, intake=intake)
        parts = await build_parts(stack, config, Notifier({}), wrappers)
        yield Opened(parts, Daemon(parts), sink, config)


async def test_configured_devices_are_known_before_they_are_heard(tmp_path: Path) -> None:
    async with opened(tmp_path) as run:
        assert run.sink.devices == ["a", "b"]
        assert run.thresholds() == {"a": OWN, "b": OWN}
        assert (run.daemon.model, run.daemon.metrics_url) == ("factory", None)


async def test_threshold_removed_from_the_configuration_goes_back_to_the_models_own(tmp_path: Path) -> None:
    async with opened(tmp_path, threshold=0.8) as run:
        assert run.thresholds() == {"a": 0.8, "b": 0.8}
        run.reload(threshold=None)
        assert run.thresholds() == {"a": OWN, "b": OWN}


async def test_threshold_changed_and_changed_back_is_followed_both_times(tmp_path: Path) -> None:
    async with opened(tmp_path, threshold=0.8) as run:
        run.reload(threshold=0.6)
        assert run.thresholds() == {"a": 0.6, "b": 0.6}
        run.reload(threshold=0.8)
        assert run.thresholds() == {"a": 0.8, "b": 0.8}


@pytest.mark.parametrize("device", [A, None], ids=["one", "all"])
async def test_threshold_set_over_mqtt_survives_a_reload_that_does_not_change_the_threshold(
    tmp_path: Path, device: DeviceName | None
) -> None:
    async with opened(tmp_path, threshold=0.8) as run:
        run.parts.pipeline.set_threshold(device, Threshold(0.7))
        run.reload()
        run.reload(scores=True, log=LogConfig(level="error"))
        assert run.thresholds() == {"a": 0.7, "b": 0.8 if device else 0.7}


@pytest.mark.parametrize("device", [A, None], ids=["one", "all"])
async def test_changed_threshold_of_the_configuration_replaces_those_set_over_mqtt(
    tmp_path: Path, device: DeviceName | None
) -> None:
    async with opened(tmp_path, threshold=0.8) as run:
        run.parts.pipeline.set_threshold(device, Threshold(0.7))
        run.reload(threshold=None)
        assert run.thresholds() == {"a": OWN, "b": OWN}


async def test_keys_that_wait_for_a_restart_are_logged_until_they_are_changed_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    def logged() -> str:
        return caplog.messages[-1].partition("after_a_restart=")[2]

    async with opened(tmp_path) as run:
        run.reload(stamps=True)
        assert logged() == "stamps"
        run.reload(min_shot_gap_ms=5)
        assert logged() == "min_shot_gap_ms,stamps"
        run.reload(stamps=False, scores=True)
        assert logged() == "min_shot_gap_ms"
        run.reload(min_shot_gap_ms=configured(tmp_path).min_shot_gap_ms)
        assert logged() == "none"


def test_live_keys_are_those_that_a_reload_applies() -> None:
    assert {one.name for one in KEYS if one.traits.live} == {
        *("threshold", "scores", "log.level", "log.format"),
        *("recorder.keep", "recorder.keep_size", "recorder.keep_trained"),
    }


async def test_scores_and_logging_follow_a_reload_and_go_back_to_their_defaults(tmp_path: Path) -> None:
    async with opened(tmp_path) as run:

        def applied() -> tuple[bool, int]:
            return run.parts.mqtt_sink.publish_scores, logging.getLogger().level

        run.reload(scores=True, log=LogConfig(level="debug"))
        assert applied() == (True, logging.DEBUG)
        run.reload(scores=configured(tmp_path).scores, log=LogConfig())
        assert applied() == (False, logging.INFO)


async def test_reload_that_changes_nothing_prunes_nothing_and_publishes_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path, threshold=0.8) as run:
        calls = list(run.sink.calls)
        run.reload()
        assert run.sink.calls == calls
        assert not run.parts.room_needed.is_set()


async def test_changed_retention_prunes_at_once(tmp_path: Path) -> None:
    async with opened(tmp_path, recorder=RecorderConfig(keep=parse_duration("30d"))) as run:
        run.reload(recorder=RecorderConfig(keep=None))
        assert run.parts.room_needed.is_set()


async def test_second_daemon_on_one_data_folder_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path):
        with pytest.raises(UnavailableError, match="in use by another daemon"):
            async with opened(tmp_path):
                pass


async def test_daemon_stops_when_it_is_asked(tmp_path: Path) -> None:
    stop = asyncio.Event()
    async with opened(tmp_path) as run, asyncio.timeout(PATIENCE_S):
        await run.daemon.run(stop, ready=stop.set)


async def test_source_that_can_never_work_ends_the_daemon_with_its_error(tmp_path: Path) -> None:
    async with opened(tmp_path, sources=parse_source_urls(["replay:/no/such.bin"])) as run, asyncio.timeout(PATIENCE_S):
        with pytest.raises(InputError, match="No such file"):
            await run.daemon.run(asyncio.Event())


class FailingSink(KeepingSink):
    """Raises at the first scores, what elsewhere would be the mistake of a user."""

    def on_scores(self, *_: object) -> None:
        raise InputError("out of order")


class Feeding:
    """Passes on one block of its own for each report of a link."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._tasks: list[asyncio.Task[None]] = []

    async def put(self, block: Block) -> None:
        await self._intake.put(block)

    def link(self, report: Any) -> None:
        self._intake.link(report)
        self._tasks.append(asyncio.create_task(self.put(block(report.device, 0, 60))))


async def test_exception_in_scoring_ends_the_daemon_with_a_traceback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(tmp_path, sink=FailingSink(), intake=Feeding) as run, asyncio.timeout(PATIENCE_S):
        with pytest.raises(DaemonFailedError) as failure:
            await run.daemon.run(asyncio.Event())
    assert str(failure.value.__cause__) == "out of order"
    assert any(message.startswith("daemon_failed") for message in caplog.messages)


async def test_exception_in_scoring_the_last_samples_of_a_recording_ends_the_daemon_the_same_way(
    tmp_path: Path,
) -> None:
    recording = tmp_path / "short.bin"
    write_log(recording, random_samples(100))
    sources = parse_source_urls([f"replay:{recording}?speed=0"])
    async with opened(tmp_path, sink=FailingSink(), sources=sources) as run, asyncio.timeout(PATIENCE_S):
        with pytest.raises(DaemonFailedError):
            await run.daemon.run(asyncio.Event())
