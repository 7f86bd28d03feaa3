from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from hil.emulated.factory import factory_models
from hil.qemu.image import COMPILER, build_image, flash_layout, recording_block, settings_block
from hil.qemu.machine import QEMU, QemuMachine, run_machine
from models.graph.export import export_blaster_model
from models.model_file import open_model
from models.model_meta import ModelMeta
from models.scorer import score_recording
from models.synthetic import synthesise
from stinger.errors import InputError
from stinger.mlmd import LrModel, encode_mlmd, fingerprint
from stinger.recording import split_recordings
from stinger.sample import SampleArray
from stinger.wire.commands import ModelSlot
from stinger.wire.frames import FrameDecoder
from stinger.wire.host import Exchange, LoadModel, ReadModelStatus, UploadModel
from tests.helpers.cli import run_stinger
from tests.helpers.patience import PATIENCE_S

pytestmark = pytest.mark.skipif(
    shutil.which(COMPILER) is None or shutil.which(QEMU) is None, reason=f"needs {COMPILER} and {QEMU}"
)

ScoreArray = np.ndarray[tuple[int, ...], np.dtype[np.void]]

BOUND = 5e-6
QUIET_S = 10.0
"""After this long without a byte, the recording has ended."""
LR, MLP = factory_models()
ONES = np.ones(18, dtype=np.float32)
ANOTHER = LrModel(mean=ONES, scale=ONES, coef=ONES * np.float32(0.125), intercept=np.array(0.5, np.float32))


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_image(tmp_path_factory.mktemp("image"))


def samples_with_a_shot() -> SampleArray:
    samples = synthesise(minutes=1, seed=5)
    shot = int(np.flatnonzero(np.diff(samples["trigger"].astype(int)) == 1)[0])
    return samples[max(0, shot - 200) : shot + 100]


@pytest.fixture
async def machine(image: Path) -> AsyncIterator[QemuMachine]:
    settings = settings_block(LR, MLP, 0.3, repeat=False)
    async with run_machine(settings, recording_block(samples_with_a_shot()), image=image) as running:
        yield running


async def ask(machine: QemuMachine, exchange: Exchange[object]) -> None:
    machine.write(exchange.start())
    async with asyncio.timeout(PATIENCE_S):
        while not exchange.done:
            if more := exchange.receive(await machine.read()):
                machine.write(more)


async def stream(machine: QemuMachine) -> tuple[list[SampleArray], list[ScoreArray], FrameDecoder]:
    """Return the samples and scores that the device sends of its recording, and the decoder that read them."""
    machine.write(b"MLSTREAM 100\n")
    decoder, count = FrameDecoder(), samples_with_a_shot().size
    samples: list[SampleArray] = []
    scores: list[ScoreArray] = []
    with suppress(TimeoutError):
        while sum(block.size for block in samples) + decoder.lost < count:
            async with asyncio.timeout(QUIET_S):
                block = decoder.feed(await machine.read())
            if block.scores is not None:
                samples.append(block.samples)
                scores.append(block.scores)
    return samples, scores, decoder


async def test_scores_and_samples_are_those_of_the_host(machine: QemuMachine) -> None:
    played, deadline = samples_with_a_shot(), time.monotonic() + PATIENCE_S
    samples, scores, decoder = await stream(machine)
    while (
        sum(block.size for block in samples) < played.size
    ):  # it drops samples when it or its host waits for a processor
        assert time.monotonic() < deadline
        await machine.reset()
        samples, scores, decoder = await stream(machine)
    received = np.concatenate(samples)
    for name in ("ax", "ay", "az", "gx", "gy", "gz", "trigger"):
        np.testing.assert_array_equal(received[name], played[name])
    assert (np.diff(received["timestamp_ms"].astype(int)) == 10).all()
    meta = ModelMeta("", "test", "2026-01-01T00:00:00Z")
    expected = score_recording(open_model(export_blaster_model(MLP, meta)), split_recordings(received)[0])
    np.testing.assert_allclose(np.concatenate(scores)["probability"], expected, rtol=0, atol=BOUND)
    assert (decoder.lost, decoder.corrupted) == (0, 0)


async def test_loaded_model_is_in_use_while_it_streams(machine: QemuMachine) -> None:
    await ask(machine, UploadModel(ModelSlot.LR, encode_mlmd(ANOTHER)))
    machine.write(b"MLSTREAM 100\n")
    load, decoder = LoadModel(ModelSlot.LR), FrameDecoder()
    machine.write(load.start())
    async with asyncio.timeout(PATIENCE_S):
        while not load.done:
            for line in decoder.feed(await machine.read()).lines:
                load.receive(f"{line}\n".encode())


async def test_uploaded_model_survives_a_reset(machine: QemuMachine) -> None:
    await ask(machine, UploadModel(ModelSlot.LR, encode_mlmd(ANOTHER)))
    await machine.reset()
    status = ReadModelStatus()
    await ask(machine, status)
    assert status.result.user_has_lr
    assert status.result.fingerprints == fingerprint(ANOTHER) | fingerprint(MLP)


async def test_mlp_is_uploaded_into_flash_page_by_page(machine: QemuMachine) -> None:
    await ask(machine, UploadModel(ModelSlot.MLP, encode_mlmd(MLP)))
    await machine.reset()
    status = ReadModelStatus()
    await ask(machine, status)
    assert status.result.user_has_mlp
    assert status.result.fingerprints == fingerprint(LR) | fingerprint(MLP)


@pytest.mark.slow
def test_bench_compares_the_arm_code_with_the_host(tmp_path: Path) -> None:
    record_path = tmp_path / "record.json"
    run_stinger("hil", "run", "drop", "--dut", "qemu", "--seconds", "7", "--json", str(record_path))
    (scenario,) = json.loads(record_path.read_text())["scenarios"]
    measured = {one["name"]: one["value"] for one in scenario["measurements"]}
    assert scenario["dut"] == "ARM code in QEMU"
    assert measured["samples_compared"] > 50
    assert measured["disagreement"] <= 1e-5
    assert measured["samples_lost"] == 0


def test_image_that_was_built_before_is_not_built_again(tmp_path: Path) -> None:
    first = build_image(tmp_path)
    changed_ns = first.stat().st_mtime_ns
    assert build_image(tmp_path) == first
    assert first.stat().st_mtime_ns == changed_ns


def test_recording_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="plays 1 to"):
        recording_block(synthesise(minutes=2, seed=1))


def test_parts_of_the_flash_do_not_overlap() -> None:
    layout = flash_layout()
    assert layout["SETTINGS"] + layout["SETTINGS_BYTES"] <= layout["RECORDING"]
    assert layout["RECORDING"] + layout["RECORDING_BYTES"] <= layout["STORED_LR"]
    stored = layout["STORED_HEAD"] + len(encode_mlmd(MLP))
    assert layout["STORED_MLP"] + stored <= layout["STORED_SINGLE"]
    assert layout["STORED_SINGLE"] + stored <= 256 * 1024
    assert layout["SETTINGS_HEAD"] + len(encode_mlmd(LR)) + len(encode_mlmd(MLP)) <= layout["SETTINGS_BYTES"]
