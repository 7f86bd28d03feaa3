"""What the pages that start long actions need.

That is the data folder, the configuration, the ports, and the actions themselves.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from service.config.config import Config
from service.config.loading import load_config
from service.web.actions import Actions
from service.web.step_times import FILE, StepTimes

UNCHANGED: Final = "unchanged: "
"""How ``stinger retrain`` begins its line if nothing has changed since the last training."""


@dataclass(frozen=True, slots=True)
class PortChoice:
    """A port that a blaster may be connected to."""

    path: str
    text: str
    """What it is, in words; may be empty."""
    is_blaster: bool = False
    """Whether its USB identity is a blaster's."""


@dataclass(frozen=True, slots=True)
class ActionSettings:
    """The data folder that actions work on, and how they are started."""

    data_dir: Path
    list_ports: Callable[[], Sequence[PortChoice]]
    """Returns the serial ports of this machine, blasters first. Takes milliseconds: not for an event loop."""
    config_file: Path | None = None
    """The daemon's TOML file, whose settings training uses."""
    actions: Actions = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "actions", Actions(StepTimes(self.data_dir / FILE)))

    def loaded_config(self) -> Config:
        """Return the configuration that ``stinger retrain`` would use. Raises :class:`~stinger.errors.InputError`."""
        return load_config(self.config_file, os.environ, {"data_dir": str(self.data_dir)})

    def train_arguments(self) -> list[str]:
        """Return the command line that trains on all recordings."""
        config = [] if self.config_file is None else ["--config", str(self.config_file)]
        return ["retrain", "--data-dir", str(self.data_dir), *config]
