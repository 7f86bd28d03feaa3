"""The folders in which data is stored between runs."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_data_path

from stinger.files import StrPath


def data_dir(chosen: StrPath | None = None) -> Path:
    """Return ``chosen``, or the user's data folder for stinger-ml if that is ``None``. It need not exist."""
    return user_data_path("stinger-ml", appauthor=False) if chosen is None else Path(chosen)


def registry_dir(chosen: StrPath | None = None) -> Path:
    """Return the folder of the model registry in :func:`data_dir`."""
    return data_dir(chosen) / "registry"


def recordings_dir(data_dir: StrPath) -> Path:
    """Return the folder of the daemon's recordings within ``data_dir``."""
    return Path(data_dir) / "recordings"
