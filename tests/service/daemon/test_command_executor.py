from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from models.choice import FACTORY, choose_model
from models.registry import Registry
from models.threshold import parse_threshold
from service.base.note import parse_note
from service.daemon.command_executor import CommandExecutor
from service.daemon.pipeline import Pipeline
from service.daemon.serving_model import ServingModel
from service.mqtt.commands import AddNote, ChooseModel, Command, SetThreshold, StartRecording, StopRecording
from service.recording.pacing import PacedRecorder
from service.recording.recorder import Recorder
from stinger.device_name import DeviceName
from stinger.errors import InputError
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


@pytest.fixture
def executor(tmp_path: Path, recorder: Recorder, pacing: PacedRecorder, sink: KeepingSink) -> CommandExecutor:
    """Knows one device, b."""
    pipeline = Pipeline(serving(FakeModel()), min_shot_gap_ms=1000)
    pipeline.subscribe(sink)
    pipeline.add_device(B)
    registry = Registry(tmp_path)
    chosen = choose_model(FACTORY, registry)
    model = ServingModel(FACTORY, chosen, registry, on_change=pipeline.use_model, on_trouble=lambda _: None)
    return CommandExecutor(pipeline, recorder, pacing, model)


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
        FACTORY, choose_model(FACTORY, registry), registry, on_change=pipeline.use_model, on_trouble=lambda _: None
    )
    executor = CommandExecutor(pipeline, recorder, PacedRecorder(recorder, lambda _delay_s, _call: None), model)
    assert await executor.execute(AddNote(None, parse_note("hall 2"))) == {"noted": []}
