"""The page's server as a program: what it needs to be installed."""

from __future__ import annotations

import subprocess
import sys

from tests.helpers.patience import PATIENCE_S


def test_the_page_starts_without_the_packages_for_training() -> None:
    missing = ("sklearn", "skl2onnx", "matplotlib", "onnx", "joblib", "amqtt", "hdrh")
    program = f"import sys; sys.modules.update(dict.fromkeys({missing!r})); import service.web.server"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=PATIENCE_S)
