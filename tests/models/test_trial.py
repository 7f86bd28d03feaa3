"""Models that take too much memory or time, or whose file has changed, are refused before they are opened here."""

from __future__ import annotations

import json
import os
import random
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from models.choice import CHAMPION, FACTORY, choose_model, choose_model_that_works
from models.factory import factory_model_bytes
from models.graph.builder import INPUT, OUTPUT, GraphBuilder
from models.model_meta import META_KEY, ModelMeta
from models.registry import Registry
from models.trial import LIMITS, check_speed, try_file, try_model
from models.version import RECORD_FILE
from stinger.errors import FileError, InputError
from tests.helpers.cli import invoke, run_stinger

META = ModelMeta(spec="logreg:summary", software="test", created="2026-01-01T00:00:00+00:00")
needs_limits = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process reliably")


def greedy_model(side: int) -> bytes:
    """A valid model of about 1 kB that fills a table of ``side`` x ``side`` numbers whenever it scores windows."""
    graph = GraphBuilder()
    sample = graph.add(
        "Slice", graph.add("Cast", INPUT, to=TensorProto.FLOAT), graph.axes(0), graph.axes(1), graph.axes(1)
    )
    value = graph.add(
        "Squeeze", graph.add("Slice", sample, graph.axes(0), graph.axes(1), graph.axes(2)), graph.axes(1, 2)
    )
    zero = graph.add("Mul", value, graph.constant(0.0, np.float32))
    table = graph.add("Expand", graph.add("ReduceMax", zero, keepdims=1), graph.constant([side, side], np.int64))
    graph.add("Add", zero, graph.add("ReduceMax", table, keepdims=0), output=OUTPUT)
    return graph.finish({META_KEY: META.to_json()})


def test_factory_model_is_measured() -> None:
    trial = try_model(factory_model_bytes())
    assert 0 < trial.us_per_sample < LIMITS.us_per_sample
    check_speed(trial.us_per_sample)


@needs_limits
@pytest.mark.parametrize("side", [20_000, 51_000])
def test_small_file_that_takes_gigabytes_is_refused(side: int) -> None:
    data = greedy_model(side)
    assert len(data) < 1300
    with pytest.raises(InputError, match="needs more than 1,024 MB of memory"):
        try_model(data)


@needs_limits
def test_model_that_takes_gigabytes_only_for_many_windows_at_once_is_refused() -> None:
    graph = GraphBuilder()
    sample = graph.add("Slice", graph.add("Cast", INPUT, to=TensorProto.FLOAT), *(graph.axes(i) for i in (0, 1, 1)))
    first = graph.add("Squeeze", graph.add("Slice", sample, *(graph.axes(i) for i in (0, 1, 2))), graph.axes(1, 2))
    zero = graph.add("Mul", first, graph.constant(0.0, np.float32))
    # A table of 8 MB for each window: 256 MB for the 32 test windows, 2 GB for a batch of 256.
    rows = graph.add("Expand", graph.add("Unsqueeze", zero, graph.axes(1)), graph.constant([1, 2_000_000], np.int64))
    graph.add("ReduceMax", rows, graph.axes(1), keepdims=0, output=OUTPUT)
    with pytest.raises(InputError, match="needs more than 1,024 MB of memory"):
        try_model(graph.finish({META_KEY: META.to_json()}))


@needs_limits
def test_model_that_takes_too_much_processor_time_is_refused() -> None:
    with pytest.raises(InputError, match=r"needs more than 0\.3 s of processor time"):
        try_model(greedy_model(12_000), replace(LIMITS, processor_s=0.3))


def test_trial_ends_after_its_time_even_without_other_limits() -> None:
    with pytest.raises(InputError, match=r"not opened and tried within 0\.01 s"):
        try_model(factory_model_bytes(), replace(LIMITS, wait_s=0.01))


def test_model_that_is_too_slow_for_every_sample_is_refused_with_its_time(tmp_path: Path) -> None:
    path = tmp_path / "slow.onnx"
    path.write_bytes(greedy_model(6000))
    with pytest.raises(
        InputError, match=r"slow\.onnx: needs [0-9,]+ µs to score a sample, more than the 2,000 allowed"
    ):
        choose_model(str(path), Registry(tmp_path / "registry"))


@pytest.mark.parametrize("data", [b"", b"no model", factory_model_bytes()[:5000]])
def test_file_that_is_no_model_is_refused_with_the_reason(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    with pytest.raises(FileError, match=r"m\.onnx: is not an ONNX model"):
        try_file(path)


def test_every_changed_bit_of_a_stored_model_is_noticed(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    version = registry.add("m", factory_model_bytes(), {}, us_per_sample=20.0)
    chance = random.Random(3)
    for _ in range(60):
        changed = bytearray(factory_model_bytes())
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        version.model_path.write_bytes(changed)
        with pytest.raises(FileError, match="is damaged: its sha256 is not that of the file that was stored"):
            choose_model(version.id, registry)
    version.model_path.write_bytes(factory_model_bytes())
    assert choose_model(version.id, registry).version == version.id


def test_changed_model_of_an_older_registry_is_noticed_by_the_hash_in_its_report(tmp_path: Path) -> None:
    data = greedy_model(10)
    registry = Registry(tmp_path)
    version = registry.add("m", data, {"sha256": "0" * 64})
    (version.folder / RECORD_FILE).unlink()
    with pytest.raises(FileError, match="is damaged"):
        choose_model(version.id, registry)


@pytest.mark.parametrize(
    "record", [None, b"", b"{}", b"[]", b'{"sha256": 7}', b"\xff", b'{"sha256": null, "us_per_sample": "x"}']
)
def test_model_without_a_usable_record_is_tried_and_used(tmp_path: Path, record: bytes | None) -> None:
    registry = Registry(tmp_path)
    version = registry.add("m", greedy_model(10), {})
    (version.folder / RECORD_FILE).unlink()
    if record is not None:
        (version.folder / RECORD_FILE).write_bytes(record)
    chosen = choose_model(version.id, registry)
    assert chosen.us_per_sample is not None


def test_model_that_was_tried_when_it_was_stored_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry(tmp_path)
    version = registry.add("m", greedy_model(10), {}, us_per_sample=12.5)
    monkeypatch.setattr(sys, "executable", os.devnull)  # no process can be started
    assert choose_model(version.id, registry).us_per_sample == 12.5


@needs_limits
def test_champion_that_takes_too_much_memory_gives_way_to_its_predecessor(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    good, greedy = (registry.add(name, greedy_model(side), {}).id for name, side in (("a", 10), ("b", 51_000)))
    registry.promote(good, why="")
    registry.promote(greedy, why="")
    chosen, problem = choose_model_that_works(CHAMPION, registry)
    assert chosen.version == good
    assert problem.endswith("model.onnx: needs more than 1,024 MB of memory")


@needs_limits
@pytest.mark.parametrize(
    ("side", "reason"),
    [
        (51_000, "needs more than 1,024 MB of memory"),
        pytest.param(6000, "µs to score a sample, more than", marks=pytest.mark.slow),
    ],
)
def test_command_refuses_a_greedy_model_with_one_line(tmp_path: Path, side: int, reason: str) -> None:
    (tmp_path / "m.onnx").write_bytes(greedy_model(side))
    result = invoke("models", "add", tmp_path / "m.onnx", "--data-dir", tmp_path / "data")
    assert result.exit_code == 2
    assert reason in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "data").exists()


def test_promotion_keeps_the_result_of_the_trial(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    version = registry.add("m", greedy_model(10), {})
    assert json.loads((version.folder / RECORD_FILE).read_bytes())["us_per_sample"] is None
    run_stinger("models", "promote", version.id, "--data-dir", str(tmp_path))
    assert json.loads((version.folder / RECORD_FILE).read_bytes())["us_per_sample"] > 0
    shown = run_stinger("models", "show", version.id, "--data-dir", str(tmp_path)).stdout
    assert "µs of processor time to score a sample (2,000 allowed)" in shown


def test_factory_model_needs_no_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry(tmp_path)
    version = registry.add(FACTORY, factory_model_bytes(), {})
    monkeypatch.setattr(sys, "executable", os.devnull)
    assert choose_model(version.id, registry).version == version.id
