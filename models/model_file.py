"""Open model files: check that a file is a valid model, one ONNX graph from raw window to probability."""

from __future__ import annotations

import hashlib
import threading
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.model_meta import META_KEY, ModelMeta, parse_meta
from models.onnx_wire import check_contents
from models.runtime import InferenceSession, load_runtime, open_session
from models.scorer import BATCH_WINDOWS
from stinger.errors import FileError, InputError
from stinger.files import StrPath, read_bytes
from stinger.mlmd import WINDOW_SAMPLES
from stinger.sample import CHANNELS, INT16_MAX, INT16_MIN

MODEL_MAX_BYTES: Final = 64 * 2**20
"""A larger file is refused unread. 600 trees trained on a few thousand windows take 10 to 20 MB."""

_INPUT: Final[tuple[str, str, list[int]]] = ("window", "tensor(int16)", [WINDOW_SAMPLES, len(CHANNELS)])
_OUTPUT: Final[tuple[str, str, list[int]]] = ("probability", "tensor(float)", [])
_ALONE_EVERY: Final = 4
"""Of the windows to test a model on, every fourth is scored alone as well."""
_ALONE_ERROR_MAX: Final = 0.001
"""Largest difference then; those of our models differ in the last digits of float32."""


class Model:
    """A valid model. ``meta`` is its metadata, ``data`` the content of its file, ``sha256`` the hash of that."""

    def __init__(self, session: InferenceSession, meta: ModelMeta, data: bytes) -> None:
        self.meta = meta
        self.data = data
        self.sha256 = hashlib.sha256(data).hexdigest()
        self._session = session
        self._single = _SingleWindow(session)

    def probability(self, windows: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
        """Return the probability ``(m,) float32`` of a shot ``lead_ms`` after each of ``windows`` ``(m, 50, 6) int16``."""
        if windows.shape[0] == 1 and (found := self._single.probability(windows)) is not None:
            return found
        if windows.shape[0] <= BATCH_WINDOWS:
            return self._run(windows)
        starts = range(0, windows.shape[0], BATCH_WINDOWS)
        return np.concatenate([self._run(windows[start : start + BATCH_WINDOWS]) for start in starts])

    def _run(self, windows: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
        (probability,) = self._session.run(["probability"], {"window": np.ascontiguousarray(windows)})
        return np.asarray(probability, dtype=np.float32)


class _SingleWindow:
    """Runs a session for one window at a time, in arrays that it keeps: a blaster needs that a hundred times a second.

    Without building the session's input and output anew, a run every 10 ms takes 15 to 20 % less of the processor's
    time.
    """

    def __init__(self, session: InferenceSession) -> None:
        self._session = session
        self._window = np.zeros((1, WINDOW_SAMPLES, len(CHANNELS)), dtype=np.int16)
        self._probability = np.zeros(1, dtype=np.float32)
        self._binding = session.io_binding()
        for bind, name, array in (
            (self._binding.bind_input, "window", self._window),
            (self._binding.bind_output, "probability", self._probability),
        ):
            bind(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
        self._in_use = threading.Lock()

    def probability(self, window: npt.NDArray[np.int16]) -> npt.NDArray[np.float32] | None:
        """Return the probability ``(1,)`` for ``window`` ``(1, 50, 6)``; ``None`` while another thread runs this."""
        if not self._in_use.acquire(blocking=False):
            return None
        try:
            self._window[:] = window
            self._session.run_with_iobinding(self._binding)
            return self._probability.copy()
        finally:
            self._in_use.release()


def load_model(path: StrPath) -> Model:
    """Open a model file. Raises :class:`FileError` for an invalid one (see :func:`open_model`)."""
    data = read_model(path)
    try:
        return open_model(data)
    except InputError as error:
        raise FileError(path, str(error)) from error


def read_model(path: StrPath) -> bytes:
    """Return the content of a model file, unopened. Raises :class:`FileError`."""
    return read_bytes(path, at_most=MODEL_MAX_BYTES)


def open_model(data: bytes, *, max_bytes: int = MODEL_MAX_BYTES) -> Model:
    """Open the model in ``data``, the content of a file.

    Raises :class:`InputError` if it has more than ``max_bytes``, is not an ONNX model, needs other files or operators
    that ONNX Runtime does not contain, has loops, has other inputs or outputs than our models, has no metadata or
    metadata of a newer version, or returns anything but numbers from 0 to 1 for the test windows of
    :func:`probe_windows`, or another number for a window alone than for the same one among others. Nothing limits the
    memory and time that this takes: a file of unknown origin is first tried by :func:`models.trial.try_model`.
    """
    if len(data) > max_bytes:
        raise InputError(f"has {len(data):,} bytes, more than the {max_bytes:,} allowed for a model")
    check_contents(data)
    load_runtime()
    try:
        session = open_session(data)
        _check_tensor(session.get_inputs(), "input", *_INPUT)
        _check_tensor(session.get_outputs(), "output", *_OUTPUT)
        document = session.get_modelmeta().custom_metadata_map.get(META_KEY)
    except InputError:
        raise
    except Exception as error:  # the exceptions of ONNX Runtime have no common base class
        reason = str(error).partition("\n")[0].rpartition(" : ")[2][:200]
        raise InputError(f"is not an ONNX model that can run here ({reason})") from error
    if document is None:
        raise InputError("has no metadata of a Stinger model")
    model = Model(session, parse_meta(document), data)
    _try_out(model)
    return model


def _check_tensor(found: list[Any], role: str, name: str, kind: str, shape: list[int]) -> None:
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
    """Return windows to test a model on, ``(32, 50, 6)``: constant, extreme and noisy ones."""
    rng = np.random.default_rng(0)
    shape = (WINDOW_SAMPLES, len(CHANNELS))
    extremes = [np.full(shape, value) for value in (0, INT16_MIN, INT16_MAX)]
    noise = [rng.normal(0, size, shape).clip(INT16_MIN, INT16_MAX) for size in np.geomspace(10, 20_000, 29)]
    return np.array([*extremes, *noise]).astype(np.int16)


def _try_out(model: Model) -> None:
    """Score the windows of :func:`probe_windows`, all at once and some alone, and check the output."""
    windows = probe_windows()
    together = _try_batch(model, windows)
    for index in range(0, windows.shape[0], _ALONE_EVERY):
        alone = _try_batch(model, windows[index : index + 1])
        if abs(float(alone[0]) - float(together[index])) > _ALONE_ERROR_MAX:
            raise InputError(
                f"returns {alone[0]:.3g} for a window alone and {together[index]:.3g} for the same window among others: "
                "its output must depend on that window only"
            )


def _try_batch(model: Model, windows: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
    try:
        probability = model.probability(windows)
    except Exception as error:  # the exceptions of ONNX Runtime have no common base class
        reason = str(error).partition("\n")[0][:200]
        raise InputError(f"cannot score a window ({reason})") from error
    if probability.shape != (windows.shape[0],):
        raise InputError(f"returns {probability.shape} for {windows.shape[0]} windows, expected one number for each")
    if not ((probability >= 0) & (probability <= 1)).all():  # false for NaN as well
        raise InputError("returns values other than numbers from 0 to 1")
    return probability
