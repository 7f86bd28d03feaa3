"""The names of the files of an evaluation, apart from what writes them, which needs the packages for training."""

from __future__ import annotations

from typing import Final

JSON_FILE: Final = "evaluation.json"
MARKDOWN_FILE: Final = "evaluation.md"
PICTURE_FILE: Final = "sweep.png"
