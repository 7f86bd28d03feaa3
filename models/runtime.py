"""Run ONNX graphs. The only import of ONNX Runtime: with its telemetry disabled, and not before a graph is opened."""

from __future__ import annotations

import os
from typing import Any, Final

InferenceSession = Any
"""A session of ONNX Runtime, which has no type hints of its own."""

_SILENT: Final = 4


def load_runtime() -> None:
    """Load ONNX Runtime, which takes a tenth of a second the first time.

    Raises ``ImportError`` if it cannot be loaded, such as for want of memory: no fault of a model then.
    """
    # Its official builds since 1.29 send usage data to their maker and write a database in the user's cache folder,
    # unless this variable is set before the import; on Windows, events go to the system's tracing until they are disabled.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime  # noqa: F401, PLC0415 - commands that open no model need not spend that time


def open_session(data: bytes) -> InferenceSession:
    """Return a session that runs the ONNX graph in ``data`` in the calling thread only.

    Raises exceptions of ONNX Runtime, which have no common base class, for a graph that it cannot run.
    """
    load_runtime()
    import onnxruntime  # noqa: PLC0415 - as in load_runtime

    if os.environ["ORT_DISABLE_TELEMETRY"] != "0":
        onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # with more, one window of a large forest waits milliseconds for a thread
    options.inter_op_num_threads = 1
    options.log_severity_level = _SILENT  # errors are raised; ONNX Runtime must not write to the terminal as well
    options.add_session_config_entry("session.load_model_format", "ONNX")
    # Without a second attempt by another provider, which would write to the terminal before it fails too.
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"], enable_fallback=0)
