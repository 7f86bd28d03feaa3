from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.factory import factory_model
from models.model_references import ModelReferences, ReferencedData
from models.onnx_wire import metadata_value
from models.registry import Registry
from stinger.errors import FileError, InputError


def test_metadata_is_read_without_opening_the_model() -> None:
    model = factory_model()
    text = metadata_value(model.data, "stinger")
    assert text is not None
    assert json.loads(text) == json.loads(model.meta.to_json())
    assert metadata_value(model.data, "another") is None


def test_metadata_of_bytes_that_are_no_model_is_refused() -> None:
    with pytest.raises(InputError, match="is not an ONNX model"):
        metadata_value(b"\xff" * 40, "stinger")


def test_hashes_of_metadata_and_report_are_found_at_any_depth(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.add("m", factory_model().data, {"runs": [{"held_out": {"b" * 64: ["day1"]}}]})
    found = ModelReferences(registry).read()
    trained_on = set(factory_model().meta.training["inputs_sha256"])
    assert trained_on
    assert found.hashes >= trained_on | {"b" * 64}
    assert {"day1", "held_out"} <= found.texts


def test_all_versions_count_and_those_that_are_gone_do_not(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    data_of_models = ModelReferences(registry)
    assert data_of_models.read() == ReferencedData()
    for name in ("one", "two"):
        registry.add(name, factory_model().data, {"log": f"{name}.bin"})
    assert {"one.bin", "two.bin"} <= data_of_models.read().texts
    registry.prune(keep=1)
    assert "one.bin" not in data_of_models.read().texts


@pytest.mark.parametrize("name", ["model.onnx", "report.json"])
def test_version_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    registry = Registry(tmp_path)
    version = registry.add("m", factory_model().data, {})
    (version.folder / name).write_bytes(b"\xff\xff")
    with pytest.raises(FileError, match=name):
        ModelReferences(registry).read()
