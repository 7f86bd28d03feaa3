"""Read an ONNX file as bytes, to refuse an unsafe file before ONNX Runtime opens it.

ONNX is protobuf. Only the fields needed are read; their numbers are those of ``onnx.proto3``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from stinger.errors import InputError

DOMAINS: Final = frozenset({"", "ai.onnx", "ai.onnx.ml"})
"""Domains whose operators every ONNX Runtime contains."""

_MODEL_GRAPH: Final = 7
_MODEL_METADATA: Final = 14
_MODEL_FUNCTIONS: Final = 25
_ENTRY_KEY: Final = 1
_ENTRY_VALUE: Final = 2
_GRAPH_NODE: Final = 1
_GRAPH_INITIALIZER: Final = 5
_GRAPH_SPARSE_INITIALIZER: Final = 15
_NODE_OPERATOR: Final = 4
_NODE_ATTRIBUTE: Final = 5
_NODE_DOMAIN: Final = 7
_ATTRIBUTE_TENSOR: Final = 5
_ATTRIBUTE_GRAPHS: Final = frozenset({6, 11})
_TENSOR_EXTERNAL: Final = frozenset({13, 14})

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_VARINT_MAX_BYTES: Final = 10
_CONTINUED: Final = 0x80
"""The highest bit of a byte of a varint: set in all bytes but the last."""


def check_contents(data: bytes) -> None:
    """Raise :class:`InputError` for what a model must not contain, and for bytes that are not an ONNX model.

    Not allowed are weights in other files, operators that ONNX Runtime does not contain, functions, and graphs within
    operators, because a loop may never end.
    """
    graphs = 0
    for number, value in _fields(data):
        if number == _MODEL_FUNCTIONS:
            raise InputError("defines functions of its own; a model is one plain graph")
        if number == _MODEL_GRAPH and isinstance(value, bytes):
            graphs += 1
            _check_graph(value)
    if graphs != 1:
        raise InputError("is not an ONNX model")


def metadata_value(data: bytes, key: str) -> str | None:
    """Return the metadata of an ONNX model under ``key``, ``None`` if it has none, without opening the model.

    Raises :class:`InputError` for bytes that are not an ONNX model.
    """
    for number, entry in _fields(data):
        if number == _MODEL_METADATA and isinstance(entry, bytes):
            fields = dict(_fields(entry))
            name, value = fields.get(_ENTRY_KEY), fields.get(_ENTRY_VALUE)
            if name == key.encode() and isinstance(value, bytes):
                return value.decode("utf-8", errors="replace")
    return None


def _check_graph(data: bytes) -> None:
    for number, value in _fields(data):
        if not isinstance(value, bytes):
            continue
        if number == _GRAPH_NODE:
            _check_node(value)
        elif number == _GRAPH_INITIALIZER:
            _check_tensor(value)
        elif number == _GRAPH_SPARSE_INITIALIZER:
            raise InputError("contains sparse weights, which no model of ours has")


def _check_node(data: bytes) -> None:
    operator = domain = ""
    for number, value in _fields(data):
        if not isinstance(value, bytes):
            continue
        if number == _NODE_OPERATOR:
            operator = value.decode("utf-8", errors="replace")
        elif number == _NODE_DOMAIN:
            domain = value.decode("utf-8", errors="replace")
        elif number == _NODE_ATTRIBUTE:
            _check_attribute(value)
    if domain not in DOMAINS:
        raise InputError(f"uses the operator {operator!r} of {domain!r}, which is not part of ONNX Runtime")


def _check_attribute(data: bytes) -> None:
    for number, value in _fields(data):
        if number in _ATTRIBUTE_GRAPHS:
            raise InputError("contains a graph within an operator, such as a loop; a model is one plain graph")
        if number == _ATTRIBUTE_TENSOR and isinstance(value, bytes):
            _check_tensor(value)


def _check_tensor(data: bytes) -> None:
    if any(number in _TENSOR_EXTERNAL and value not in {0, b""} for number, value in _fields(data)):
        raise InputError("stores weights in another file; a model is one file")


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and value of each field of a message: whole numbers, or bytes for everything that has a length."""
    position, end = 0, len(data)
    while position < end:
        # A forest has some hundred thousand fields, nearly all with a key of one byte and many with such a value.
        key = data[position]
        position += 1
        if key >= _CONTINUED:
            key, position = _varint(data, position - 1)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            if position < end and data[position] < _CONTINUED:
                value = data[position]
                position += 1
            else:
                value, position = _varint(data, position)
            yield number, value
            continue
        if kind == _BYTES:
            length, position = _varint(data, position)
        elif kind in {_FIXED32, _FIXED64}:
            length = 4 if kind == _FIXED32 else 8
        else:
            raise InputError("is not an ONNX model")
        if length > end - position:
            raise InputError("is not an ONNX model, or is truncated")
        yield number, data[position : position + length]
        position += length


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for i in range(_VARINT_MAX_BYTES):
        if position + i >= len(data):
            break
        byte = data[position + i]
        value |= (byte & 0x7F) << (7 * i)
        if byte < _CONTINUED:
            return value, position + i + 1
    raise InputError("is not an ONNX model, or is truncated")
