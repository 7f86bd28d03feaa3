"""The live pages in a real browser, beside a real daemon and an emulated blaster."""

from __future__ import annotations

import statistics
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, expect

from models.factory import factory_model
from tests.helpers.inconclusive import skip_if_busy
from tests.service.web.many_devices import published_devices
from tests.service.web.stage import PATIENCE_MS, Stage

expect.set_options(PATIENCE_MS)

NOTE_SHOTS = """() => {
  window.delays = [];
  const seen = new Set();
  const look = () => {
    for (const item of document.querySelectorAll(".events li")) {
      const text = item.textContent;
      if (!text.includes("shot") || seen.has(text)) continue;
      seen.add(text);
      const day = new Date().toISOString().slice(0, 11);
      window.delays.push(Date.now() - Date.parse(day + text.slice(0, 12) + "Z"));
    }
  };
  look();
  window.delays = [];
  new MutationObserver(look).observe(document.querySelector(".events"), { childList: true, subtree: true });
}"""


def set_slider(page: Page, value: str) -> None:
    page.locator("[data-control=threshold]").fill(value)


def test_devices_at_a_glance_lead_to_the_page_of_one(stage: Stage, page: Page) -> None:
    page.goto(stage.address)
    expect(page.get_by_role("status")).to_contain_text("online")
    expect(page.locator("[data-fact=link]")).to_contain_text("streaming")
    expect(page.locator("[data-fact=rate]")).to_have_text("100 Hz")
    page.get_by_role("link", name="b1").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("b1")


def test_a_wall_of_fifty_devices_keeps_moving_and_shows_which_need_attention(stage: Stage, page: Page) -> None:
    page.goto(stage.address)
    with published_devices(stage, 50) as names:
        for name in (names[0], names[-1]):
            expect(page.locator(f"[data-device='{name}'] [data-fact=latency]")).to_contain_text("1.5 ms at 99")
        expect(page.locator(".device[data-device^=wall]")).to_have_count(50)
        expect(page.locator(f"[data-device='{names[1]}'] [data-fact='last shot']")).to_contain_text("✓ in time")
        expect(page.locator(f"[data-device='{names[0]}'] [data-fact='last shot']")).to_contain_text("✕ wheels off")
        updates = "Number(document.querySelector('.devices').dataset.updates)"
        seen = page.evaluate(updates)
        page.wait_for_function(f"{updates} >= {seen + 20}")
        strip = f"document.querySelector(\"[data-device='{names[-1]}'] canvas\").toDataURL()"
        before = page.evaluate(strip)
        page.wait_for_function(f"{strip} !== {before!r}")
        stage.publish(f"stinger/{names[7]}/link", {"state": "lost", "reason": "unplugged"}, retain=True)
        expect(page.locator("[data-fact=summary]")).to_contain_text(f"⚠ 1 needs attention: {names[7]}")
        expect(page.locator(f"[data-device='{names[7]}']")).to_contain_text("not connected: plug it in again")


def test_a_shot_appears_within_half_a_second(stage: Stage, page: Page) -> None:
    page.goto(f"{stage.address}/device/b1")
    page.locator(".events li").first.wait_for()
    page.evaluate(NOTE_SHOTS)
    page.wait_for_function("window.delays.length >= 3", timeout=2 * PATIENCE_MS)
    delay_ms = statistics.median(page.evaluate("window.delays"))
    if delay_ms >= 500:
        skip_if_busy()
    assert delay_ms < 500


def test_the_picture_moves_and_receives_scores_samples_and_events(stage: Stage, page: Page) -> None:
    page.goto(f"{stage.address}/device/b1")
    page.wait_for_function("document.querySelector('.live-chart').dataset.frames > 60")
    page.wait_for_function("document.querySelector('.live-chart').dataset.scores > 200")
    page.wait_for_function("document.querySelector('.live-chart').dataset.samples > 200")
    page.wait_for_function("document.querySelector('.live-chart').dataset.marks > 0")


def test_a_paused_picture_stands_still_and_can_look_back(stage: Stage, page: Page) -> None:
    page.goto(f"{stage.address}/device/b1")
    page.wait_for_function("document.querySelector('.live-chart').dataset.scores > 200")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Continue")).to_have_attribute("aria-pressed", "true")
    picture = "document.querySelector('.live-chart canvas').toDataURL()"
    page.wait_for_timeout(100)
    still = page.evaluate(picture)
    page.wait_for_timeout(300)
    page.get_by_label("Look back").fill("2")
    page.wait_for_function(f"{picture} !== {still!r}")
    page.get_by_label("Look back").fill("0")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("button", name="Pause")).to_have_attribute("aria-pressed", "false")


def test_the_slider_sets_the_daemons_threshold_and_a_second_page_follows(stage: Stage, context: BrowserContext) -> None:
    first, second = context.new_page(), context.new_page()
    for page in (first, second):
        page.goto(f"{stage.address}/device/b1")
        expect(page.locator("[data-fact=threshold]")).to_have_text(f"{factory_model().meta.decision.on:.2f}")
    set_slider(first, "0.62")
    stage.retained("stinger/b1/model", lambda content: content["threshold"] == 0.62)
    for page in (first, second):
        expect(page.locator("[data-fact=threshold]")).to_have_text("0.62")
        expect(page.locator("[data-control=threshold]")).to_have_value("0.62")
    set_slider(second, "0.3")
    expect(first.locator("[data-fact=threshold]")).to_have_text("0.30")
    expect(first.locator("[data-control=threshold]")).to_have_value("0.3")


def test_recording_stops_and_starts_and_keeps_a_note_as_text(stage: Stage, page: Page) -> None:
    note = "<img src=x onerror=\"document.title='owned'\"> left-handed"
    page.goto(f"{stage.address}/device/b1")
    recording = page.locator("[data-fact=recording]")
    expect(recording).to_contain_text("Recording:")
    page.get_by_label("Note").fill(note)
    page.get_by_role("button", name="Keep the note").click()
    expect(page.get_by_text("The note is kept")).to_be_visible()
    page.get_by_role("button", name="Stop recording").click()
    expect(recording).to_contain_text("Not recording")
    assert any("left-handed" in path.read_text() for path in (stage.data / "recordings" / "b1").glob("*.json"))
    page.get_by_role("button", name="Start a new recording").click()
    expect(recording).to_contain_text("● Recording:")


def test_texts_from_the_network_are_shown_as_text(stage: Stage, page: Page) -> None:
    evil = "<img src=x onerror=\"document.title='owned'\"><b>${7*7}{{7*7}}</b>"
    stage.publish("stinger/evil/link", {"state": evil, "reason": evil}, retain=True)
    stage.publish("stinger/evil/model", {"model": evil, "threshold": 1e9}, retain=True)
    stage.publish("stinger/evil/scores", {"first_device_ms": 1e9, "period_ms": -1, "probabilities": [evil, 1e300]})
    stage.publish("stinger/evil/shot", {"device_ms": evil, "accepted": True, "time": evil, "lead_ms": 1e11})
    page.goto(stage.address)
    expect(page.locator(".device", has_text="evil").locator("[data-fact=link]")).to_contain_text("<img src=x")
    page.goto(f"{stage.address}/device/evil")
    expect(page.locator("[data-fact=model]")).to_contain_text("{{7*7}}")
    expect(page.locator(".events li").first).to_contain_text("shot in time")
    assert page.locator("img[src=x]").count() == 0
    assert page.title() == "evil - Stinger"
    stage.publish("stinger/evil/link", {}, retain=True)


def test_an_unknown_device_leads_back_to_all_devices(stage: Stage, page: Page) -> None:
    page.goto(f"{stage.address}/device/a%20b")
    expect(page.get_by_role("heading", level=1)).to_have_text("No such device")
    page.goto(f"{stage.address}/device/nobody")
    page.get_by_role("link", name="All devices").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Live")


def test_a_device_that_appears_later_is_shown_on_its_page(stage: Stage, page: Page) -> None:
    page.goto(f"{stage.address}/device/late")
    expect(page.get_by_text("published nothing about this device yet")).to_be_visible()
    stage.publish("stinger/late/link", {"state": "streaming"})
    expect(page.locator(".live-chart")).to_be_visible()


def test_a_killed_daemon_is_shown_and_the_page_mends_itself(tmp_path: Path, page: Page) -> None:
    stage = Stage(tmp_path)
    try:
        stage.start_page()  # before the daemon, whose password it cannot know yet
        page.goto(stage.address)
        state = page.get_by_role("status")
        for _ in range(2):
            expect(state).to_contain_text("no connection to the broker")
            stage.start_daemon()
            expect(state).to_contain_text("online")
            expect(page.locator(".device", has_text="b1").locator("[data-fact=link]")).to_contain_text("lost")
            stage.kill("run")
    finally:
        stage.close()


def test_a_restarted_page_server_is_found_again_by_the_browser(tmp_path: Path, page: Page) -> None:
    stage = Stage(tmp_path)
    try:
        stage.start_page()
        page.goto(stage.address)
        expect(page.get_by_role("heading", level=1)).to_have_text("Live")
        page.wait_for_function("window.socket?.connected")
        port = stage.address.rpartition(":")[2]
        stage.kill("web")
        expect(page.get_by_text("Connection lost")).to_be_visible()
        stage.start_page("--port", port)
        expect(page.get_by_text("Connection lost")).to_be_hidden()
        expect(page.get_by_role("status")).to_contain_text("no connection to the broker")
    finally:
        stage.close()
