from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from models.choice import FACTORY
from models.factory import factory_model
from models.registry import Registry
from service.daemon.flow import Flow
from service.daemon.operating import Operating
from service.daemon.serving_model import ServingModel
from service.mqtt.commands import ChooseModel, StartRecording, StopRecording
from service.recording.pacing import PacedRecorder
from service.recording.recorder import Recorder
from stinger.device_name import DeviceName
from stinger.errors import InputError
from tests.helpers.samples import random_samples
from tests.service.blocks import block_of


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    recorder = Recorder(tmp_path / "recordings", keep_free_bytes=0)
    yield recorder
    assert recorder.close()


@pytest.fixture
def pace(recorder: Recorder) -> PacedRecorder:
    """After the first recording that is begun, no other has its turn."""
    pace = PacedRecorder(recorder, lambda _delay_s, _call: None, share=1e-12)
    pace.append(block_of(random_samples(1), device="first"))
    return pace


@pytest.fixture
def operating(tmp_path: Path, recorder: Recorder, pace: PacedRecorder) -> Operating:
    model = ServingModel(FACTORY, Registry(tmp_path), on_change=lambda _: None, on_trouble=lambda _: None)
    flow = Flow(factory_model(), FACTORY, factory_model().meta.decision, [], min_shot_gap_ms=1000)
    return Operating(flow, recorder, pace, model, lambda: None)


async def test_what_came_before_recording_is_stopped_is_kept(
    operating: Operating, pace: PacedRecorder, recorder: Recorder
) -> None:
    pace.append(block_of(random_samples(20), device="b"))
    await operating.obey(StopRecording(DeviceName("b")))
    assert recorder.stats().samples == 21


async def test_what_comes_after_recording_is_started_is_kept_and_nothing_from_before(
    operating: Operating, pace: PacedRecorder, recorder: Recorder
) -> None:
    await operating.obey(StopRecording(DeviceName("b")))
    pace.append(block_of(random_samples(20), device="b"))
    await operating.obey(StartRecording(DeviceName("b")))
    pace.append(block_of(random_samples(5, first_ms=500), device="b"))
    pace.close()
    assert recorder.stats().samples == 6


async def test_one_device_has_no_model_of_its_own(operating: Operating) -> None:
    with pytest.raises(InputError, match="one model scores all devices"):
        await operating.obey(ChooseModel(DeviceName("b"), FACTORY))
