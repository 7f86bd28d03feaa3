"""The contents of the compose file, read as compose reads it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import yaml

from tests.deploy.places import DEPLOY
from tests.helpers.places import ROOT

COMPOSE: Final = ROOT / "docker-compose.yml"
USB: Final = DEPLOY / "usb.yml"
DEMO: Final = DEPLOY / "demo.env"


def services(path: Path = COMPOSE) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))["services"]
    return found


def demo_environment() -> dict[str, str]:
    lines = [line for line in DEMO.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def interpolated(text: str, environ: dict[str, str]) -> str:
    """Return ``text`` with ``${NAME:-default}`` resolved as compose does it."""
    return re.sub(r"\$\{(\w+):-([^}]*)\}", lambda match: environ.get(match[1]) or match[2], text)
