"""`info`, `evaluate`, `retrain` and the daemon agree on which sample rates models can use."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from models.factory import factory_model_bytes
from service.retraining.training_data import read_training_data
from service.sources.replay_source import ReplaySource
from stinger.cli.progress import progress_bar
from stinger.device_name import DeviceName
from stinger.logs import write_log
from tests.helpers.cli import invoke
from tests.helpers.patience import PATIENCE_S
from tests.helpers.samples import samples_at
from tests.service.sources.collecting import Collecting
from tests.stinger.test_rate import batches, jitter, lossy, ticks


@pytest.mark.parametrize(
    ("times_ms", "usable"),
    [
        (ticks(100, 10), True),
        (ticks(100, 16), True),
        (ticks(100, 15.625), True),
        (batches(5, 1), True),
        (jitter(9), True),
        (lossy(0.1), True),
        (ticks(50, 1), False),
        (ticks(62.5, 16), False),
        (ticks(200, 1), False),
        (batches(20, 0), False),
    ],
)
async def test_all_commands_agree(tmp_path: Path, times_ms: npt.NDArray[np.int64], usable: bool) -> None:
    channels = np.random.default_rng(1).integers(-3000, 3000, (times_ms.size, 6))
    path = tmp_path / "log.bin"
    write_log(path, samples_at(times_ms, channels=channels, trigger=np.arange(times_ms.size) % 400 == 399))
    (recording,) = json.loads(invoke("info", path, "--json").stdout)["recordings"]
    model = tmp_path / "model.onnx"
    model.write_bytes(factory_model_bytes())
    evaluated = invoke("evaluate", "--model-file", model, path)
    trained = read_training_data(tmp_path, [str(path)], max_hours=1, min_shot_gap_ms=1000, bar=progress_bar)
    played = Collecting()
    async with asyncio.timeout(PATIENCE_S):
        await ReplaySource("replay:", DeviceName("b"), path, speed=0).run(played)
    answers = {
        "info": recording["rate_problem"] is None,
        "evaluate": evaluated.exit_code == 0,
        "retrain": len(trained.items) == 1,
        "run": all(block.rate_problem is None for block in played.blocks),
    }
    assert answers == dict.fromkeys(answers, usable)
    if not usable:
        assert f"has {recording['rate_problem']}" in evaluated.stderr
        assert any(f"it has {recording['rate_problem']}" in warning for warning in trained.warnings)
        assert played.reports[-1].counters.unscored == times_ms.size
