"""What the page does not show: recordings and models in shared storage, of which it has the local folder only."""

from __future__ import annotations

from service.web.action_settings import ActionSettings
from stinger.errors import InputError
from stinger.paths import recordings_dir, registry_dir


def recordings_elsewhere(settings: ActionSettings) -> str:
    """Return a hint that recordings are also in shared storage; empty if none is configured."""
    try:
        url = settings.loaded_config().recordings
    except InputError:  # the page 'Train' shows what is wrong with the configuration
        return ""
    if url is None:
        return ""
    return (
        f"Recordings are also kept in {url}, where training reads them. This page shows only those in "
        f"{recordings_dir(settings.data_dir)}; 'stinger recordings list --recordings {url}' lists all."
    )


def registry_elsewhere(settings: ActionSettings) -> str:
    """Return a hint that the daemon uses a shared registry; empty if none is configured."""
    try:
        url = settings.loaded_config().registry
    except InputError:
        return ""
    if url is None:
        return ""
    return (
        f"The daemon uses the registry in {url}. This page shows and changes only the one in "
        f"{registry_dir(settings.data_dir)}; 'stinger models list --registry {url}' shows the other, and 'stinger models "
        "promote' and 'rollback' change it with the same option."
    )
