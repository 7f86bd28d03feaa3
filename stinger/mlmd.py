"""The MLMD model file, as the blaster stores and loads it.

Layout, little-endian: a 24-byte header (:data:`_HEADER`), then the arrays of one model as float32, without padding, in
the order of the fields of :class:`LrModel` or :class:`MlpModel`. Source: the Stinger firmware's model loader.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, fields
from enum import Enum
from struct import Struct
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt

from stinger.errors import FileError, InputError
from stinger.files import StrPath, read_bytes, write_bytes

MAGIC: Final = b"MLMD"
VERSION: Final = 1
WINDOW_SAMPLES: Final = 50
"""Samples in a window: 500 ms at 100 Hz. The blaster's buffers have exactly this length."""
LR_FEATURES: Final = 18
MLP_FEATURES: Final = 30
MLP_HIDDEN: Final = (64, 32)
SCALE_FLOOR: Final = 1e-10
"""The blaster raises a stored scale below this value to it."""

# magic, version, window_samples, model_type, reserved, features, h1, h2, payload_bytes, payload_crc32
_HEADER: Final = Struct("<4sHHBBHHHII")
_FLOAT: Final = np.dtype("<f4")

FloatArray = npt.NDArray[np.float32]


class MlmdRefusal(Enum):
    """The reasons for which the blaster refuses a file; the value describes to users what it expects."""

    HEADER = "at least a 24-byte header"
    MAGIC = "the magic 'MLMD'"
    VERSION = f"version {VERSION}"
    WINDOW = f"windows of {WINDOW_SAMPLES} samples"
    TYPE = "model type 0 (LR) or 1 (MLP)"
    DIMENSIONS = "the dimensions 18, 0, 0 (LR) or 30, 64, 32 (MLP)"
    PAYLOAD_SIZE = "a payload of exactly the model's weights"
    CRC = "a payload that matches its CRC-32"
    NOT_FINITE = "finite weights"


class MlmdError(InputError):
    """The blaster would refuse these bytes; ``refusal`` is the first of its checks that fails."""

    def __init__(self, refusal: MlmdRefusal, found: str) -> None:
        self.refusal = refusal
        super().__init__(f"not a model that the blaster loads: expected {refusal.value}, found {found}")


class _Weights:
    """The base of both models: every field is a float32 array of the shape in ``SHAPES``."""

    MODEL_TYPE: ClassVar[int]
    DIMENSIONS: ClassVar[tuple[int, int, int]]
    SHAPES: ClassVar[dict[str, tuple[int, ...]]]

    def __post_init__(self) -> None:
        for name, shape in self.SHAPES.items():
            array = np.asarray(getattr(self, name), dtype=_FLOAT)
            if array.shape != shape:
                raise InputError(f"{type(self).__name__}.{name} has the shape {array.shape}, expected {shape}")
            if not np.isfinite(array).all():
                raise MlmdError(MlmdRefusal.NOT_FINITE, f"a NaN or infinity in {name}")
            object.__setattr__(self, name, array)

    @classmethod
    def payload_bytes(cls) -> int:
        return _FLOAT.itemsize * sum(int(np.prod(shape)) for shape in cls.SHAPES.values())


@dataclass(frozen=True, slots=True, eq=False)
class LrModel(_Weights):
    """Logistic regression on ``summary`` features. ``intercept`` is ``()``, all other arrays ``(18,)``; float32."""

    MODEL_TYPE = 0
    DIMENSIONS = (LR_FEATURES, 0, 0)
    SHAPES = {"mean": (18,), "scale": (18,), "coef": (18,), "intercept": ()}  # noqa: RUF012 - ClassVar in the base

    mean: FloatArray
    scale: FloatArray
    coef: FloatArray
    intercept: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class MlpModel(_Weights):
    """30 -> 64 -> 32 -> 1 network on ``rich`` features; float32. A weight matrix has a row for each output neuron."""

    MODEL_TYPE = 1
    DIMENSIONS = (MLP_FEATURES, *MLP_HIDDEN)
    SHAPES = {  # noqa: RUF012 - ClassVar in the base
        "mean": (30,),
        "scale": (30,),
        "w1": (64, 30),
        "b1": (64,),
        "w2": (32, 64),
        "b2": (32,),
        "w3": (32,),
        "b3": (),
    }

    mean: FloatArray
    scale: FloatArray
    w1: FloatArray
    b1: FloatArray
    w2: FloatArray
    b2: FloatArray
    w3: FloatArray
    b3: FloatArray


BlasterModel = LrModel | MlpModel

_MODELS: Final = {model.MODEL_TYPE: model for model in (LrModel, MlpModel)}


def encode_mlmd(model: BlasterModel) -> bytes:
    """Return the file of ``model``: 244 bytes for LR, 16,652 for MLP."""
    payload = b"".join(getattr(model, field.name).astype(_FLOAT).tobytes() for field in fields(model))
    header = _HEADER.pack(
        MAGIC, VERSION, WINDOW_SAMPLES, model.MODEL_TYPE, 0, *model.DIMENSIONS, len(payload), zlib.crc32(payload)
    )
    return header + payload


def decode_mlmd(data: bytes) -> BlasterModel:
    """Parse a model file. Raises :class:`MlmdError` for what the blaster would refuse, in the order of its checks."""
    if len(data) < _HEADER.size:
        raise MlmdError(MlmdRefusal.HEADER, f"{len(data)} bytes")
    magic, version, window, model_type, _, *dimensions, payload_bytes, crc = _HEADER.unpack_from(data)
    model = _MODELS.get(model_type)
    payload = data[_HEADER.size :]
    if magic != MAGIC:
        raise MlmdError(MlmdRefusal.MAGIC, repr(magic))
    if version != VERSION:
        raise MlmdError(MlmdRefusal.VERSION, f"version {version}")
    if window != WINDOW_SAMPLES:
        raise MlmdError(MlmdRefusal.WINDOW, f"{window}")
    if model is None:
        raise MlmdError(MlmdRefusal.TYPE, f"{model_type}")
    if tuple(dimensions) != model.DIMENSIONS:
        raise MlmdError(MlmdRefusal.DIMENSIONS, ", ".join(map(str, dimensions)))
    if not payload_bytes == len(payload) == model.payload_bytes():
        found = f"{payload_bytes} announced and {len(payload)} present of {model.payload_bytes()} bytes"
        raise MlmdError(MlmdRefusal.PAYLOAD_SIZE, found)
    if zlib.crc32(payload) != crc:
        raise MlmdError(MlmdRefusal.CRC, f"{zlib.crc32(payload):08x} instead of {crc:08x}")
    arrays: dict[str, FloatArray] = {}
    start = 0
    for name, shape in model.SHAPES.items():
        count = int(np.prod(shape))
        arrays[name] = np.frombuffer(payload, dtype=_FLOAT, count=count, offset=start).reshape(shape)
        start += count * _FLOAT.itemsize
    return model(**arrays)


def fingerprint(model: BlasterModel) -> dict[str, str]:
    """Return the two weights of ``model`` that ``MLMODEL_INFO`` prints, with its names and six decimals."""
    if isinstance(model, LrModel):
        return {"lr_intercept": f"{float(model.intercept):.6f}", "lr_coef[0]": f"{float(model.coef[0]):.6f}"}
    return {"mlp_b3": f"{float(model.b3):.6f}", "mlp_w1[0]": f"{float(model.w1[0, 0]):.6f}"}


def read_mlmd(path: StrPath) -> BlasterModel:
    """Read a model file. Raises :class:`FileError` if it cannot be read or the blaster would refuse it."""
    return parse_mlmd(read_bytes(path), path)


def parse_mlmd(data: bytes, path: StrPath) -> BlasterModel:
    """Parse ``data`` as :func:`read_mlmd` does; ``path`` is the name that errors give."""
    try:
        return decode_mlmd(data)
    except MlmdError as error:
        raise FileError(path, str(error)) from error


def write_mlmd(path: StrPath, model: BlasterModel) -> None:
    """Write ``model`` as a file for the blaster, atomically. Raises :class:`FileError`."""
    write_bytes(path, encode_mlmd(model))
