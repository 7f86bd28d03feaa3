from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from models.graph.builder import INPUT, OUTPUT, GraphBuilder
from models.model_file import MODEL_MAX_BYTES, load_model, open_model
from models.model_meta import META_KEY, ModelMeta
from stinger.errors import FileError, InputError
from tests.helpers.patience import PATIENCE_S

META = ModelMeta(spec="logreg:summary", software="test", created="2026-01-01T00:00:00+00:00")

ENSEMBLE = replace(META, spec="mlp:motion+et:rich").to_json()


def built(value: float | None = 0.25, *, meta: str | None = None) -> bytes:
    """A model that gives ``value`` for every window, or, for ``None``, the first sample's ax."""
    graph = GraphBuilder()
    first = graph.add(
        "Slice", graph.add("Cast", INPUT, to=TensorProto.FLOAT), graph.axes(0), graph.axes(1), graph.axes(1)
    )
    one = graph.add("Squeeze", graph.add("Slice", first, graph.axes(0), graph.axes(1), graph.axes(2)), graph.axes(1, 2))
    if value is None:
        graph.add("Identity", one, output=OUTPUT)
    else:
        zero = graph.add("Mul", one, graph.constant(0.0, np.float32))
        graph.add("Add", zero, graph.constant(value, np.float32), output=OUTPUT)
    return graph.finish({META_KEY: META.to_json() if meta is None else meta})


def reshaped(shape: list[str | int], *, kind: int = TensorProto.INT16) -> bytes:
    """The same with another input."""
    model = onnx.load_model_from_string(built())
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info(INPUT, kind, shape))
    return bytes(model.SerializeToString())


def renamed_input() -> bytes:
    return built().replace(b"window", b"widnow")


def without_metadata() -> bytes:
    model = onnx.load_model_from_string(built())
    del model.metadata_props[:]
    return bytes(model.SerializeToString())


def with_custom_operator() -> bytes:
    model = onnx.load_model_from_string(built())
    model.graph.node[0].op_type = "Exfiltrate"
    model.graph.node[0].domain = "example.com"
    model.opset_import.append(helper.make_opsetid("example.com", 1))
    return bytes(model.SerializeToString())


def with_external_data() -> bytes:
    model = onnx.load_model_from_string(built())
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    return bytes(model.SerializeToString())


def with_loop() -> bytes:
    model = onnx.load_model_from_string(built())
    body = helper.make_graph([], "body", [], [])
    model.graph.node.append(helper.make_node("Loop", ["", ""], ["never"], body=body))
    return bytes(model.SerializeToString())


def with_function() -> bytes:
    model = onnx.load_model_from_string(built())
    model.functions.append(helper.make_function("", "F", [], [], [], []))
    return bytes(model.SerializeToString())


def squashed(operator: str) -> bytes:
    """A model whose number for a window is that of ``operator``, which may know the other windows, squashed to 0 to 1."""
    graph = GraphBuilder()
    mean = graph.add("ReduceMean", graph.add("Cast", INPUT, to=TensorProto.FLOAT), graph.axes(1, 2), keepdims=0)
    value = graph.add(operator, mean, graph.axes(0)) if operator == "ReduceMean" else graph.add(operator, mean)
    graph.add("Sigmoid", graph.add("Sub", mean, value), output=OUTPUT)
    return graph.finish({META_KEY: META.to_json()})


@settings(deadline=None)
@given(st.data())
def test_damaged_model_serves_or_is_refused_and_nothing_else(data: st.DataObject) -> None:
    damaged = bytearray(built())
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with suppress(InputError):
        open_model(bytes(damaged)).probability(np.zeros((1, 50, 6), dtype=np.int16))


def test_model_gives_a_probability_for_each_window() -> None:
    windows = np.zeros((700, 50, 6), dtype=np.int16)
    probability = open_model(built()).probability(windows)
    assert probability.dtype == np.float32
    np.testing.assert_array_equal(probability, np.full(700, 0.25, dtype=np.float32))


def test_windows_that_overlap_in_memory_are_scored_as_they_are() -> None:
    samples: npt.NDArray[np.int16] = np.arange(60 * 6, dtype=np.int16).reshape(60, 6)
    windows = np.lib.stride_tricks.sliding_window_view(samples, 50, axis=0).transpose(0, 2, 1)
    model = open_model(built())
    np.testing.assert_array_equal(model.probability(windows), model.probability(np.ascontiguousarray(windows)))


def test_metadata_comes_back() -> None:
    assert open_model(built()).meta == META


def test_metadata_of_an_ensemble_comes_back_and_is_of_a_schema_that_earlier_versions_refuse() -> None:
    meta = replace(META, spec="mlp:motion+et:rich")
    assert open_model(built(meta=meta.to_json())).meta == meta
    assert json.loads(meta.to_json())["schema"] == 2


def test_single_model_is_of_the_schema_that_earlier_versions_read() -> None:
    document = json.loads(META.to_json())
    assert (document["schema"], document["estimator"], document["features"]) == (1, "logreg", "summary")


def test_names_of_a_later_version_are_kept() -> None:
    text = META.to_json().replace('"logreg"', '"transformer"').replace('"summary"', '"spectrum"')
    assert open_model(built(meta=text)).meta.spec == "transformer:spectrum"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not an ONNX model"),
        (b"not a model at all", "not an ONNX model"),
        (built()[:200], "not an ONNX model"),
        (renamed_input(), "has the input 'widnow'"),
        (reshaped(["n", 40, 6]), r"has the input 'window' of tensor\(int16\) \(n, 40, 6\), expected"),
        (reshaped(["n", 50, 6], kind=TensorProto.FLOAT), r"has the input 'window' of tensor\(float\)"),
        (reshaped([3, 50, 6]), r"has the input 'window' of tensor\(int16\) \(3, 50, 6\)"),
        (without_metadata(), "no metadata"),
        (built(meta="{"), "not JSON"),
        (built(meta="{}"), "has no schema version"),
        (built(meta=META.to_json().replace('"schema": 1', '"schema": 3')), "has schema 3, this program supports 2"),
        (built(meta=META.to_json().replace('"estimator"', '"estimate"')), "no valid 'estimator'"),
        (built(meta=META.to_json().replace('"lead_ms": 100.0', '"lead_ms": NaN')), "no valid 'lead_ms'"),
        (
            built(meta=META.to_json().replace('"window_samples": 50', '"window_samples": 40')),
            "is for windows of 40 samples",
        ),
        (
            built(meta=META.to_json().replace('"on": 0.5', '"on": 7')),
            "the threshold: expected a number from 0.05 to 0.95, not 7",
        ),
        (with_custom_operator(), "uses the operator 'Exfiltrate' of 'example.com'"),
        (with_external_data(), "stores weights in another file"),
        (with_external_data().replace(b"\x0a\x08location", b"\x0a\x88\x00location"), "another file|cut short"),
        (with_loop(), "contains a graph within an operator"),
        (with_function(), "defines functions"),
        (built(meta="[" * 200_000), "not JSON"),
        (built(meta=META.to_json().replace('"schema": 1', '"schema": -3')), "has no schema version"),
        (built(meta=ENSEMBLE.replace('"members": [{', '"members": [3, {')), "no valid 'members'"),
        (built(meta=ENSEMBLE.replace('"members"', '"memers"')), "no valid 'members'"),
        (built(meta=META.to_json().replace('"rate_hz": 100', '"rate_hz": 1600')), "at 1600 Hz"),
        (built(meta=META.to_json().replace('"gate_lsb": 60.0', f'"gate_lsb": {10**400}')), "no valid 'gate_lsb'"),
        (built(meta=META.to_json().replace('"logreg"', '"\\u001b[2J"')), "no valid 'estimator'"),
        (built(float("nan")), "values other than numbers from 0 to 1"),
        (built(1.5), "values other than numbers from 0 to 1"),
        (built(None), "values other than numbers from 0 to 1"),
        (squashed("ReduceMean"), "depend on that window only"),
        (squashed("RandomNormalLike"), "depend on that window only"),
    ],
)
def test_model_that_must_not_serve_is_refused_in_one_line(
    data: bytes, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        open_model(data)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_file_that_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.onnx"
    with path.open("wb") as file:
        file.truncate(MODEL_MAX_BYTES + 1)
    with pytest.raises(FileError, match=r"huge\.onnx: is larger than 67,108,864 bytes"):
        load_model(path)


@pytest.mark.parametrize("name", ["none.onnx", "."])
def test_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileError):
        load_model(tmp_path / name)


def test_opening_a_model_leaves_nothing_in_the_users_folders(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(built())
    home = tmp_path / "home"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    script = f"from models.model_file import load_model; load_model({str(tmp_path / 'm.onnx')!r})"
    folders = {"HOME": str(home), "XDG_CACHE_HOME": str(home), "CI": ""}
    subprocess.run([sys.executable, "-c", script], env=environment | folders, check=True, timeout=PATIENCE_S)
    assert list(home.iterdir()) == []
