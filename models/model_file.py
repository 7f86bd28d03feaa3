"""Opening a model file: one ONNX graph from raw window to probability. What is opened here may serve."""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
import numpy.typing as npt

from models.model_meta import META_KEY, ModelMeta, parse_meta
from models.onnx_wire import check_contents
from models.runtime import InferenceSession, NodeArg, SessionOptions
from models.scorer import BATCH_WINDOWS
from stinger.errors import FileError, InputError
from stinger.files import StrPath, read_bytes
from stinger.mlmd import WINDOW_SAMPLES
from stinger.sample import CHANNELS, INT16_MAX, INT16_MIN

MODEL_MAX_BYTES: Final = 64 * 2**20
"""A larger file is refused unread. 600 trees on a few thousand windows make ten to twenty."""

_INPUT: Final[tuple[str, str, list[int]]] = ("window", "tensor(int16)", [WINDOW_SAMPLES, len(CHANNELS)])
_OUTPUT: Final[tuple[str, str, list[int]]] = ("probability", "tensor(float)", [])
_SILENT: Final = 4


class Model:
    """A model that was found fit to serve. ``meta`` is what it says about itself, ``sha256`` that of its bytes."""

    def __init__(self, session: InferenceSession, meta: ModelMeta, data: bytes) -> None:
        self.meta = meta
        self.data = data
        self.sha256 = hashlib.sha256(data).hexdigest()
        self._session = session

    def probability(self, windows: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
        """The probability of a shot ``lead_ms`` after each of ``windows`` ``(m, 50, 6) int16``, as ``(m,) float32``."""
        if windows.shape[0] <= BATCH_WINDOWS:
            return self._run(windows)
        starts = range(0, windows.shape[0], BATCH_WINDOWS)
        return np.concatenate([self._run(windows[start : start + BATCH_WINDOWS]) for start in starts])

    def _run(self, windows: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
        (probability,) = self._session.run(["probability"], {"window": np.ascontiguousarray(windows)})
        return np.asarray(probability, dtype=np.float32)


def load_model(path: StrPath) -> Model:
    """Open a model file. Raises :class:`FileError`, one line, for one that must not serve (see :func:`open_model`)."""
    data = read_bytes(path, at_most=MODEL_MAX_BYTES)
    try:
        return open_model(data)
    except InputError as error:
        raise FileError(path, str(error)) from error


def open_model(data: bytes) -> Model:
    """The model in ``data``.

    Raises :class:`InputError` if it is no ONNX model, leans on other files or on operators that do not come with ONNX
    Runtime, has loops, takes or gives something else than a model of ours, lacks its metadata or has a newer one, or gives anything
    but numbers from 0 to 1 on windows made to try it.
    """
    if len(data) > MODEL_MAX_BYTES:
        raise InputError(f"has {len(data):,} bytes, more than the {MODEL_MAX_BYTES:,} of any model")
    check_contents(data)
    try:
        session = _open_session(data)
        _check_tensor(session.get_inputs(), "input", *_INPUT)
        _check_tensor(session.get_outputs(), "output", *_OUTPUT)
        document = session.get_modelmeta().custom_metadata_map.get(META_KEY)
    except InputError:
        raise
    except Exception as error:  # the runtime's own classes have no common base
        reason = str(error).partition("\n")[0].rpartition(" : ")[2][:200]
        raise InputError(f"is no ONNX model that can run here ({reason})") from error
    if document is None:
        raise InputError("has no metadata of a Stinger model")
    model = Model(session, parse_meta(document), data)
    _try_out(model)
    return model


def _open_session(data: bytes) -> InferenceSession:
    options = SessionOptions()
    options.intra_op_num_threads = 1  # with more, one window of a large forest waits milliseconds for a thread
    options.inter_op_num_threads = 1
    options.log_severity_level = _SILENT  # what goes wrong is raised; nothing else may write to the terminal
    options.add_session_config_entry("session.load_model_format", "ONNX")
    # Without a second try, which would write to the terminal before it fails as well.
    return InferenceSession(data, options, providers=["CPUExecutionProvider"], enable_fallback=0)


def _check_tensor(found: list[NodeArg], role: str, name: str, kind: str, shape: list[int]) -> None:
    wanted = f"'{name}' of {kind} (n{''.join(f', {size}' for size in shape)})"
    if len(found) != 1:
        raise InputError(f"has {len(found)} {role}s, expected one: {wanted}")
    tensor = found[0]
    dimensions = list(tensor.shape)
    free = bool(dimensions) and not isinstance(dimensions[0], int)
    if tensor.name != name or tensor.type != kind or dimensions[1:] != shape or not free:
        text = ", ".join(str(size) for size in dimensions)
        raise InputError(f"has the {role} '{tensor.name}' of {tensor.type} ({text}), expected {wanted}")


def probe_windows() -> npt.NDArray[np.int16]:
    """Windows of every kind to try a model on, ``(32, 50, 6)``: still, extreme, noisy."""
    rng = np.random.default_rng(0)
    shape = (WINDOW_SAMPLES, len(CHANNELS))
    extremes = [np.full(shape, value) for value in (0, INT16_MIN, INT16_MAX)]
    noise = [rng.normal(0, size, shape).clip(INT16_MIN, INT16_MAX) for size in np.geomspace(10, 20_000, 29)]
    return np.array([*extremes, *noise]).astype(np.int16)


def _try_out(model: Model) -> None:
    """Score windows of every kind, one alone and many."""
    windows = probe_windows()
    for batch in (windows, windows[:1]):
        try:
            probability = model.probability(batch)
        except Exception as error:  # the runtime's own classes have no common base
            reason = str(error).partition("\n")[0][:200]
            raise InputError(f"cannot score a window ({reason})") from error
        if probability.shape != (batch.shape[0],):
            raise InputError(f"gives {probability.shape} for {batch.shape[0]} windows, expected a number each")
        if not ((probability >= 0) & (probability <= 1)).all():  # false for NaN as well
            raise InputError("gives something else than numbers from 0 to 1")
