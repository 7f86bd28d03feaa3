"""The pages, as NiceGUI builds them for each browser."""

from __future__ import annotations

from pathlib import Path

from service.web.daemon_client import DaemonClient
from service.web.pages.device import add_device_page
from service.web.pages.live import add_live_page
from service.web.pages.models import add_models_page
from service.web.pages.recording import add_recording_page
from service.web.pages.recordings import add_recordings_page


def add_pages(client: DaemonClient, data_dir: Path) -> None:
    """Add all pages of the process: they show what ``client`` receives, and what is in the folder ``data_dir``."""
    add_live_page(client)
    add_device_page(client, data_dir)
    add_recordings_page(client, data_dir)
    add_recording_page(client, data_dir)
    add_models_page(client, data_dir)
