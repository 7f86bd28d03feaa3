from __future__ import annotations

import contextlib
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stinger.errors import FileError, InputError
from stinger.mlmd import (
    BlasterModel,
    LrModel,
    MlmdError,
    MlmdRefusal,
    MlpModel,
    decode_mlmd,
    encode_mlmd,
    fingerprint,
    read_mlmd,
    write_mlmd,
)


def random_model(kind: type[LrModel | MlpModel], seed: int = 1) -> BlasterModel:
    rng = np.random.default_rng(seed)
    weights = {name: rng.normal(size=shape).astype(np.float32) for name, shape in kind.SHAPES.items()}
    return kind(**{**weights, "scale": np.abs(weights["scale"]) + np.float32(0.1)})


KINDS = pytest.mark.parametrize(("kind", "size"), [(LrModel, 244), (MlpModel, 16_652)])


@KINDS
def test_encoded_model_has_the_size_that_the_blaster_expects(kind: type[LrModel | MlpModel], size: int) -> None:
    assert len(encode_mlmd(random_model(kind))) == size


@KINDS
def test_decoding_gives_back_every_weight(kind: type[LrModel | MlpModel], size: int) -> None:
    del size
    model = random_model(kind)
    decoded = decode_mlmd(encode_mlmd(model))
    assert type(decoded) is kind
    for name in kind.SHAPES:
        np.testing.assert_array_equal(getattr(decoded, name), getattr(model, name))


def test_header_is_laid_out_as_the_firmware_declares_it() -> None:
    data = encode_mlmd(random_model(MlpModel))
    assert data[:4] == b"MLMD"
    assert struct.unpack("<HHBBHHHII", data[4:24]) == (1, 50, 1, 0, 30, 64, 32, 16_628, zlib.crc32(data[24:]))


def test_first_layer_is_stored_a_row_per_output_neuron() -> None:
    model = random_model(MlpModel)
    assert isinstance(model, MlpModel)
    first_rows = np.frombuffer(encode_mlmd(model), dtype="<f4", offset=24 + 60 * 4, count=60)
    np.testing.assert_array_equal(first_rows, model.w1[:2].ravel())


def patched(offset: int, new: bytes, *, kind: type[LrModel | MlpModel] = LrModel) -> bytes:
    data = bytearray(encode_mlmd(random_model(kind)))
    data[offset : offset + len(new)] = new
    return bytes(data)


def with_weight(value: float) -> bytes:
    data = bytearray(patched(24, struct.pack("<f", value)))
    data[20:24] = struct.pack("<I", zlib.crc32(data[24:]))
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        (b"", MlmdRefusal.HEADER),
        (b"MLMD" + bytes(19), MlmdRefusal.HEADER),
        (patched(0, b"MLMX"), MlmdRefusal.MAGIC),
        (patched(4, b"\x02"), MlmdRefusal.VERSION),
        (patched(6, b"\x33"), MlmdRefusal.WINDOW),
        (patched(8, b"\x02"), MlmdRefusal.TYPE),
        (patched(8, b"\x01"), MlmdRefusal.DIMENSIONS),
        (patched(10, b"\x1e"), MlmdRefusal.DIMENSIONS),
        (patched(12, b"\x3f", kind=MlpModel), MlmdRefusal.DIMENSIONS),
        (patched(14, b"\x21", kind=MlpModel), MlmdRefusal.DIMENSIONS),
        (patched(16, b"\xdb"), MlmdRefusal.PAYLOAD_SIZE),
        (patched(0, b"")[:-1], MlmdRefusal.PAYLOAD_SIZE),
        (patched(0, b"") + b"\0", MlmdRefusal.PAYLOAD_SIZE),
        (patched(20, b"\0\0\0\0"), MlmdRefusal.CRC),
        (patched(100, b"\x55\x55"), MlmdRefusal.CRC),
        (with_weight(float("nan")), MlmdRefusal.NOT_FINITE),
        (with_weight(float("inf")), MlmdRefusal.NOT_FINITE),
    ],
)
def test_each_refusal_of_the_blaster_is_distinguished(data: bytes, refusal: MlmdRefusal) -> None:
    with pytest.raises(MlmdError) as caught:
        decode_mlmd(data)
    assert caught.value.refusal is refusal


@given(st.binary(max_size=400) | st.binary(max_size=240).map(lambda tail: patched(4, tail)))
def test_decoder_raises_nothing_but_its_own_error(data: bytes) -> None:
    with contextlib.suppress(MlmdError):
        decode_mlmd(data)


def test_model_with_a_wrong_shape_cannot_be_made() -> None:
    weights = {name: np.zeros(shape, dtype=np.float32) for name, shape in LrModel.SHAPES.items()}
    with pytest.raises(InputError, match=r"coef has the shape \(3,\)"):
        LrModel(**{**weights, "coef": np.zeros(3, dtype=np.float32)})


@pytest.mark.parametrize(
    ("kind", "names"), [(LrModel, ["lr_intercept", "lr_coef[0]"]), (MlpModel, ["mlp_b3", "mlp_w1[0]"])]
)
def test_fingerprint_shows_the_weights_that_the_blaster_prints(
    kind: type[LrModel | MlpModel], names: list[str]
) -> None:
    model = random_model(kind)
    weights = [model.intercept, model.coef[0]] if isinstance(model, LrModel) else [model.b3, model.w1[0, 0]]
    assert fingerprint(model) == {name: f"{float(weight):.6f}" for name, weight in zip(names, weights, strict=True)}


def test_file_error_names_the_file_and_the_refusal(tmp_path: Path) -> None:
    path = tmp_path / "ml_model_lr.bin"
    path.write_bytes(patched(0, b"NOPE"))
    with pytest.raises(FileError, match=r"ml_model_lr\.bin: not a model that the blaster loads: .* magic"):
        read_mlmd(path)


def test_written_file_reads_back(tmp_path: Path) -> None:
    model = random_model(MlpModel)
    write_mlmd(tmp_path / "m.bin", model)
    assert encode_mlmd(read_mlmd(tmp_path / "m.bin")) == encode_mlmd(model)
