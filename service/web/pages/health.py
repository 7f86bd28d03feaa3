"""The page of the installation's health.

It shows alarms and what to do, broker, disk, versions, and where the metrics are.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from nicegui import ui

from service.web.daemon_client import DaemonClient
from service.web.health_facts import AlarmRow, alarm_rows, disk_facts, versions
from service.web.pages.layout import REFRESH_S, Text, page_frame

NO_ALARM: Final = "✓ No alarm: nothing needs you."
_DISK_EVERY_S: Final = 30.0
_NO_METRICS: Final = (
    "Not known to this page. The daemon serves metrics with --metrics-port 9464; name the pages that show them with "
    "--metrics-link, such as --metrics-link Grafana=http://localhost:3000."
)


def add_health_page(client: DaemonClient, data_dir: Path, links: dict[str, str]) -> None:
    """Add the page at ``/health``. ``links`` are the addresses of pages with metrics, by name."""

    @ui.page("/health")
    async def health() -> None:
        with page_frame(client, "Health", "Health"):
            Text("Alarms", "h2")
            alarms = ui.element("div").props('role=status data-fact="alarms"')
            Text("Broker", "h2")
            broker = Text("", "p").props('data-fact="broker"')
            Text("Disk", "h2")
            disk = Text("Reading …", "p").props('data-fact="disk"')
            Text("Versions", "h2")
            names = ui.element("dl")
            Text("Metrics", "h2")
            _build_links(links)
        shown_alarms: list[AlarmRow] | None = None
        shown_versions: dict[str, str] = {}

        def refresh() -> None:
            nonlocal shown_alarms, shown_versions
            rows = alarm_rows(client)
            if rows != shown_alarms:
                shown_alarms = rows
                _build_alarms(alarms, rows)
            broker.set_text(client.broker_text)
            found = versions(client)
            if found != shown_versions:
                shown_versions = found
                _build_versions(names, found)

        async def refresh_disk() -> None:
            facts = await asyncio.to_thread(disk_facts, data_dir)
            disk.set_text(facts.text)

        refresh()
        ui.timer(REFRESH_S, refresh)
        ui.timer(_DISK_EVERY_S, refresh_disk)


def _build_alarms(content: ui.element, rows: list[AlarmRow]) -> None:
    content.clear()
    with content:
        if not rows:
            Text(NO_ALARM, "p")
            return
        for row in rows:
            with ui.element("div").classes("alarm"):
                Text(f"⚠ {row.text}", "p").classes("bad")
                Text(f"What to do: {row.remedy}", "p")


def _build_versions(content: ui.element, found: dict[str, str]) -> None:
    content.clear()
    with content:
        for name, text in found.items():
            Text(name, "dt")
            Text(text, "dd")


def _build_links(links: dict[str, str]) -> None:
    if not links:
        Text(_NO_METRICS, "p").classes("hint")
        return
    with ui.element("ul"):
        for name, address in links.items():
            with ui.element("li"):
                ui.link(name, address, new_tab=True)
