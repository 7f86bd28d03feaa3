from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from models.choice import FACTORY, choose_model
from models.registry import Registry
from models.threshold import parse_threshold
from service.base.note import parse_note
from service.config.broker_address import BrokerAddress
from service.config.topic_root import TopicRoot
from service.daemon.command_executor import CommandExecutor
from service.daemon.device_forgetting import DeviceForgetter
from service.daemon.flow import Flow
from service.daemon.pipeline import Pipeline
from service.daemon.serving_model import ServingModel
from service.mqtt.commands import (
    AddNote,
    ChooseModel,
    Command,
    ForgetDevice,
    NotServedError,
    SetThreshold,
    StartRecording,
    StopRecording,
)
from service.recording.pacing import PacedRecorder
from service.recording.recorder import Recorder
from stinger.device_name import DeviceName
from stinger.errors import InputError, UnavailableError
from tests.helpers.samples import random_samples
from tests.service.blocks import block_of
from tests.service.daemon.fakes import FakeModel, KeepingSink, serving

B = DeviceName("b")
HALF = parse_threshold(0.7)


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    recorder = Recorder(tmp_path / "recordings", keep_free_bytes=0)
    yield recorder
    assert recorder.close()


@pytest.fixture
def pacing(recorder: Recorder) -> PacedRecorder:
    """Lets the first recording begin; no other one ever has its turn."""
    pacing = PacedRecorder(recorder, lambda _delay_s, _call: None, share=1e-12)
    pacing.on_samples(block_of(random_samples(1), device="first"))
    return pacing


@pytest.fixture
def sink() -> KeepingSink:
    return KeepingSink()


def forgetter_of(pipeline: Pipeline, cleared: list[DeviceName]) -> DeviceForgetter:
    """Forgets devices of ``pipeline``; its broker cannot be reached."""
    unreachable = BrokerAddress("127.0.0.1", 1)
    return DeviceForgetter(
        pipeline, Flow(pipeline), [], clear=cleared.append, broker=unreachable, root=TopicRoot(), quiet_s=0.1
    )


@pytest.fixture
def executor(
    request: pytest.FixtureRequest, tmp_path: Path, recorder: Recorder, pacing: PacedRecorder, sink: KeepingSink
) -> CommandExecutor:
    """Knows one device, b; its parameter is whether other daemons serve other devices."""
    pipeline = Pipeline(serving(FakeModel()), min_shot_gap_ms=1000)
    pipeline.subscribe(sink)
    pipeline.add_device(B)
    registry = Registry(tmp_path)
    chosen = choose_model(FACTORY, registry)
    model = ServingModel(FACTORY, chosen, registry, on_change=pipeline.use_model, on_problem=lambda _: None)
    shared = getattr(request, "param", False)
    return CommandExecutor(pipeline, recorder, pacing, model, forgetter_of(pipeline, []), shared=shared)


async def test_samples_read_before_recording_is_stopped_are_recorded(
    executor: CommandExecutor, pacing: PacedRecorder, recorder: Recorder
) -> None:
    pacing.on_samples(block_of(random_samples(20), device="b"))
    assert await executor.execute(StopRecording(B)) == {"recording": False, "devices": ["b"]}
    assert recorder.stats().samples == 21


async def test_only_samples_read_after_recording_is_started_are_recorded(
    executor: CommandExecutor, pacing: PacedRecorder, recorder: Recorder
) -> None:
    await executor.execute(StopRecording(B))
    pacing.on_samples(block_of(random_samples(20), device="b"))
    assert await executor.execute(StartRecording(B)) == {"recording": True, "devices": ["b"]}
    pacing.on_samples(block_of(random_samples(5, first_ms=500), device="b"))
    pacing.close()
    assert recorder.stats().samples == 6


async def test_threshold_of_a_device_is_set_and_passed_to_every_sink(
    executor: CommandExecutor, sink: KeepingSink
) -> None:
    assert await executor.execute(SetThreshold(B, HALF)) == {"threshold": 0.7}
    assert [model.threshold for model in sink.models] == [0.5, 0.7]


async def test_model_is_chosen_for_all_devices_and_passed_to_every_sink(
    executor: CommandExecutor, sink: KeepingSink
) -> None:
    assert await executor.execute(ChooseModel(None, FACTORY)) == {"model": FACTORY}
    assert [model.model for model in sink.models] == ["v1", FACTORY]


async def test_one_device_has_no_model_of_its_own(executor: CommandExecutor) -> None:
    with pytest.raises(InputError, match="one model scores all devices"):
        await executor.execute(ChooseModel(B, FACTORY))


UNKNOWN = DeviceName("b1")


@pytest.mark.parametrize(
    "command",
    [
        SetThreshold(UNKNOWN, HALF),
        ChooseModel(UNKNOWN, FACTORY),
        StartRecording(UNKNOWN),
        StopRecording(UNKNOWN),
        AddNote(UNKNOWN, parse_note("left hand")),
    ],
    ids=lambda command: type(command).__name__,
)
async def test_command_for_an_unknown_device_is_refused_and_leaves_nothing_behind(
    executor: CommandExecutor, recorder: Recorder, pacing: PacedRecorder, sink: KeepingSink, command: Command
) -> None:
    before = (recorder.stats(), len(sink.calls))
    with pytest.raises(InputError, match=r"^no device 'b1'$"):
        await executor.execute(command)
    assert (recorder.stats(), len(sink.calls)) == before
    pacing.on_samples(block_of(random_samples(3), device="b1"))
    pacing.close()
    assert recorder.stats().samples == 4, "the device is recorded as any other once it appears"


async def test_command_for_all_devices_is_executed_without_any(tmp_path: Path, recorder: Recorder) -> None:
    pipeline = Pipeline(serving(FakeModel()), min_shot_gap_ms=1000)
    registry = Registry(tmp_path)
    model = ServingModel(
        FACTORY, choose_model(FACTORY, registry), registry, on_change=pipeline.use_model, on_problem=lambda _: None
    )
    executor = CommandExecutor(
        pipeline, recorder, PacedRecorder(recorder, lambda _delay_s, _call: None), model, forgetter_of(pipeline, [])
    )
    assert await executor.execute(AddNote(None, parse_note("hall 2"))) == {"noted": []}


async def test_forgetting_all_devices_fails_with_the_reason_if_the_broker_cannot_be_reached(
    executor: CommandExecutor,
) -> None:
    with pytest.raises(UnavailableError, match="retained messages cannot be read: "):
        await executor.execute(ForgetDevice(None))


async def test_a_configured_device_is_not_forgotten(executor: CommandExecutor, sink: KeepingSink) -> None:
    before = len(sink.calls)
    with pytest.raises(InputError, match="'b' has a source"):
        await executor.execute(ForgetDevice(B))
    assert len(sink.calls) == before


async def test_an_unknown_device_is_cleared_at_the_broker_without_being_added() -> None:
    cleared: list[DeviceName] = []
    pipeline = Pipeline(serving(FakeModel()), min_shot_gap_ms=1000)
    forgetter_of(pipeline, cleared).forget(UNKNOWN)
    assert (cleared, pipeline.devices) == ([UNKNOWN], ())


@pytest.mark.parametrize("executor", [True], indirect=True, ids=["in a group"])
@pytest.mark.parametrize("command", [SetThreshold(DeviceName("other"), HALF), ForgetDevice(DeviceName("other"))])
async def test_in_a_group_a_device_of_another_daemon_is_left_to_that_one(
    executor: CommandExecutor, command: Command
) -> None:
    with pytest.raises(NotServedError):
        await executor.execute(command)
    assert await executor.execute(SetThreshold(B, HALF)) == {"threshold": HALF}
