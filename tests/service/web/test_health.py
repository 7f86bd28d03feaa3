"""Health in the page: alarms with what to do, broker, disk, versions, and links."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from service.ops.remedies import REMEDIES
from service.recording.store import LITTLE_ROOM_BYTES
from service.web.health_facts import DiskFacts, disk_facts
from tests.helpers.cli import invoke
from tests.helpers.recordings import NOW_S, write_recording
from tests.helpers.synthetic import synthetic_samples
from tests.service.web.stage import PATIENCE_MS, Stage

expect.set_options(PATIENCE_MS)


def test_an_alarm_is_shown_with_its_remedy_until_it_ends(stage: Stage, page: Page) -> None:
    page.goto(f"{stage.address}/health")
    alarms = page.locator("[data-fact=alarms]")
    expect(alarms).to_contain_text("No alarm")
    expect(page.locator("[data-fact=broker]")).to_contain_text("connected to")
    expect(page.locator("[data-fact=disk]")).to_contain_text("are free")
    # Without an instance: the stage's daemon would answer a status of another daemon with its own.
    status = {"state": "online", "version": "9.9"}
    evil = "<img src=x onerror=\"document.title='owned'\"> is full"
    stage.publish("stinger/daemon/status", {**status, "alarm": evil, "alarms": {"recorder": evil, "new": "else"}})
    expect(alarms).to_contain_text(evil)
    expect(alarms).to_contain_text(REMEDIES["recorder"])
    expect(alarms).to_contain_text("does not know this alarm")
    expect(page.get_by_text("9.9 (⚠ not that of this page)")).to_be_visible()
    assert page.locator("img[src=x]").count() == 0
    stage.publish("stinger/daemon/status", {**status, "alarm": "disk full"})  # of a daemon that has no alarms by topic
    expect(alarms).to_contain_text("disk full")
    stage.publish("stinger/daemon/status", {**status, "alarm": "", "alarms": {}})
    expect(alarms).to_contain_text("No alarm")


def test_a_missing_daemon_is_shown_with_what_to_do_and_links_are_shown(tmp_path: Path, page: Page) -> None:
    stage = Stage(tmp_path)
    try:
        stage.start_page("--metrics-link", "Grafana=http://127.0.0.1:3000/d/1")
        page.goto(f"{stage.address}/health")
        expect(page.locator("[data-fact=alarms]")).to_contain_text("Start the daemon")
        expect(page.get_by_role("link", name="Grafana")).to_have_attribute("href", "http://127.0.0.1:3000/d/1")
    finally:
        stage.close()


def test_a_link_that_is_none_is_refused() -> None:
    for link in ("Grafana", "x=javascript:alert(1)", "=http://a"):
        refused = invoke("web", "--metrics-link", link)
        assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)


def test_the_disk_is_described_with_the_recordings_on_it(tmp_path: Path) -> None:
    write_recording(tmp_path / "recordings", "b1", NOW_S, synthetic_samples(600, 1))
    facts = disk_facts(tmp_path)
    assert (facts.count, facts.problem) == (1, "")
    assert facts.recordings >= 600 * 17
    assert "1 recording: 1" in facts.text


def test_a_disk_that_is_almost_full_is_marked() -> None:
    assert DiskFacts(LITTLE_ROOM_BYTES - 1, 10 * LITTLE_ROOM_BYTES, 0, 0).text.startswith("⚠ ")
    assert not DiskFacts(LITTLE_ROOM_BYTES, 10 * LITTLE_ROOM_BYTES, 0, 0).text.startswith("⚠")


def test_a_data_folder_that_does_not_exist_yet_has_no_recordings(tmp_path: Path) -> None:
    facts = disk_facts(tmp_path / "not" / "yet")
    assert (facts.count, facts.problem, facts.free > 0) == (0, "", True)
