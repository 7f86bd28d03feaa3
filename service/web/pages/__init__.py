"""The pages, as NiceGUI builds them for each browser."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from service.retraining.report_names import REPORTS_FOLDER
from service.web.action_settings import ActionSettings
from service.web.bench_runs import BENCH_FOLDER
from service.web.daemon_client import DaemonClient
from service.web.downloads import add_downloads
from service.web.pages.bench import add_bench_page
from service.web.pages.device import add_device_page
from service.web.pages.health import add_health_page
from service.web.pages.live import add_live_page
from service.web.pages.model import add_model_page
from service.web.pages.models import add_models_page
from service.web.pages.personalise import add_personalise_page
from service.web.pages.recording import add_recording_page
from service.web.pages.recordings import add_recordings_page
from service.web.pages.train import add_train_page
from service.web.personalisation import PERSONAL_FOLDER
from service.web.served_files import add_files
from stinger.paths import recordings_dir

SERVED_FOLDERS: Final = frozenset({REPORTS_FOLDER, PERSONAL_FOLDER, BENCH_FOLDER})
"""Folders in the data folder from which reports and pictures are served."""


def add_pages(client: DaemonClient, data_dir: Path, settings: ActionSettings, links: dict[str, str]) -> None:
    """Add all pages of the process: they show what ``client`` receives, and what is in the folder ``data_dir``.

    Long actions are started as ``settings`` describe. ``links`` are the addresses of pages with metrics, by name.
    """
    add_live_page(client)
    add_device_page(client, data_dir)
    add_recordings_page(client, settings)
    add_downloads(recordings_dir(data_dir))
    add_recording_page(client, data_dir)
    add_models_page(client, settings)
    add_model_page(client, settings)
    add_train_page(client, settings)
    add_personalise_page(client, settings)
    add_bench_page(client, settings)
    add_health_page(client, data_dir, links)
    add_files(data_dir, SERVED_FOLDERS)
