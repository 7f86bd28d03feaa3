"""Checks whether the daemon could start with a configuration.

It finds out as much as is possible without starting it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from models.choice import ChosenModel, choose_model
from models.shared_registry import open_current_registry
from models.storage.folder import StorageFolder
from service.config.config import Config
from service.config.source_url import ReplayUrl, SerialUrl, SourceUrl
from stinger.errors import InputError
from stinger.logs.reading import read_log


def check(config: Config) -> ChosenModel:
    """Check that what ``config`` names can be used.

    That is the model, certificates, the password, recordings to play, and serial ports. Returns the model. Raises
    :class:`InputError` for what is missing or cannot be used. A serial port that is missing is an error here, while a
    running daemon waits until it is plugged in.
    """
    model = choose_model(config.model, open_current_registry(config.data_dir, config.registry))
    config.broker.address()
    if config.recordings is not None:
        StorageFolder(config.recordings)
    for url in config.sources:
        try:
            _look_for(url)
        except InputError as error:
            raise InputError(f"source '{url}': {error}") from error
    return model


def _look_for(url: SourceUrl) -> None:
    if isinstance(url, SerialUrl):
        if url.path is not None and sys.platform != "win32":
            if not Path(url.path).exists():
                raise InputError("no such port: unplugged?")
            if not Path(url.path).is_char_device():
                raise InputError("is not a serial port, but a file or folder")
    elif isinstance(url, ReplayUrl):
        read_log(url.path)
