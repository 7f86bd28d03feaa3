"""The names of a retraining's report: its folder in the data folder, and its files. Loads nothing."""

from __future__ import annotations

from typing import Final

REPORTS_FOLDER: Final = "reports"
JSON_FILE: Final = "retraining.json"
PAGE_FILE: Final = "retraining.md"
PICTURE_FILE: Final = "retraining.png"
