"""The only import of ONNX Runtime, with its telemetry disabled.

Since 1.29 its official builds send usage data to their maker and write a database in the user's cache folder, unless
this variable is set before the library is loaded; on Windows, events go to the system's tracing until they are
disabled.
"""

from __future__ import annotations

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime
from onnxruntime import InferenceSession, NodeArg, SessionOptions

__all__ = ["InferenceSession", "NodeArg", "SessionOptions"]

if os.environ["ORT_DISABLE_TELEMETRY"] != "0":
    onnxruntime.disable_telemetry_events()
