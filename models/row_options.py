"""The two ways of choosing the windows that a model is trained on."""

from __future__ import annotations

from typing import Final

from models.export import ExportOptions
from models.stream_rows import StreamOptions

RowOptions = ExportOptions | StreamOptions
"""Windows chosen around shots, or samples of the whole stream."""

STREAM: Final = "stream"
WINDOWS: Final = "windows"
"""Their names for users."""
