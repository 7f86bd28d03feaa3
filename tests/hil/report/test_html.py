"""The HTML page: self-contained, safe with any record, and readable."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from hil.limits import Verdict
from hil.record import RunRecord, TimelineEntry
from hil.report.baseline import compare
from hil.report.formatting import VERDICT_WORDS
from hil.report.html import html_page
from tests.helpers.patience import PATIENCE_S
from tests.hil.report.runs import big_run, hall, older_run, run_of, scenario, with_values

VOID = {"meta", "input", "br", "link", "img"}
HOSTILE = "</style></script><img src=x onerror=alert(1)>\"'&{{ 7*7 }}\ud800"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Page(HTMLParser):
    """Parses the page; fails if tags do not match."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.text.append(data)

    def values(self, name: str) -> list[str]:
        return [value for _, found, value in self.attributes if found == name]

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(html_page(big_run(), compare(older_run(), big_run(), name="old.json")))


def test_page_is_self_contained() -> None:
    html = html_page(big_run())
    found = Page(html)
    assert not {"link", "img", "iframe", "object", "base"} & found.tags.keys()
    assert found.values("src") == []
    assert all(value.startswith("#") for value in found.values("href"))
    assert not re.search(r"@import|url\((?!#)|https?://", html)


def test_every_link_and_reference_has_a_target(page: Page) -> None:
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    targets = {value[1:] for value in page.values("href")} | set(page.values("aria-labelledby"))
    assert targets <= set(ids)


def test_every_scenario_is_in_the_summary_with_its_verdict(page: Page) -> None:
    for one in big_run().scenarios:
        assert f"{VERDICT_WORDS[one.verdict]} {one.name} {one.title}" in page.words


def test_bad_verdicts_come_first_and_are_expanded(page: Page) -> None:
    assert "The run failed: of 14 scenarios, 2 failed, 1 unset, 1 inconclusive." in page.words
    attention = page.words.index("What needs attention")
    assert (
        attention < page.words.index("events repeated: 4 events, limit missed: at most 0") < page.words.index("Details")
    )
    opened = [value for tag, name, value in page.attributes if tag == "details" and name == "open"]
    assert len(opened) >= 4


def test_values_of_the_record_are_on_the_page(page: Page) -> None:
    received = big_run().scenarios[0].latencies[3]
    assert received.p99_us is not None
    assert f"{received.p99_us / 1000:.2f} ms" in page.words
    assert "Started 1 March 2026, 09:30 UTC, duration 2 min 51 s." in page.words
    assert "Corrected for coordinated omission: every stage." in page.words
    assert "Uncertain by ±350 µs, as the two ends share no clock: every stage." in page.words
    assert "Raspberry Pi 5 Model B Rev 1.0" in page.words
    assert "latency timer, ms unknown" in page.words


def test_comparison_is_on_the_page_when_there_is_one(page: Page) -> None:
    assert "Compared with old.json" in page.words
    assert "Worse: 4" in page.words
    assert "Compared with" not in Page(html_page(big_run())).words


def test_every_text_is_escaped() -> None:
    rng = np.random.default_rng(1)
    bad = with_values(scenario(HOSTILE, HOSTILE, rng, started_s=0, dut=HOSTILE), Verdict.FAIL, HOSTILE, shots_lost=1)
    bad = replace(
        bad,
        timeline=[TimelineEntry(1.0, HOSTILE, HOSTILE, device=HOSTILE), TimelineEntry(1.0, "fault", "x", device="y")],
    )
    bad = replace(bad, latencies=[replace(each, stage=HOSTILE) for each in bad.latencies])
    record = replace(run_of([bad]), started=HOSTILE, environment={HOSTILE: HOSTILE})
    html = html_page(record, compare(run_of([]), record, name=HOSTILE))
    found = Page(html)
    assert html.encode()
    assert "img" not in found.tags
    assert "onerror" not in {name for _, name, _ in found.attributes}
    assert HOSTILE[:-1] in found.words


def test_many_passed_measurements_are_collapsed(page: Page) -> None:
    assert "49 passed measurements" in page.words


def test_too_many_devices_are_counted_and_those_with_faults_shown() -> None:
    many = hall(np.random.default_rng(1), devices=100, started_s=0)
    faulty = {entry.device for entry in many.timeline if entry.kind == "fault"}
    html = html_page(run_of([many]))
    labels = set(re.findall(r"<bdi>([^<]*)</bdi>", html))
    assert faulty <= labels
    assert len(labels) == 60
    assert "40 devices more, without faults" in Page(html).words


def test_long_timeline_states_how_many_entries_are_omitted() -> None:
    one = scenario("soak", "t", np.random.default_rng(1), started_s=0)
    soak = replace(one, timeline=[TimelineEntry(i / 100, "event", "shot") for i in range(1000)])
    assert "800 more are in the record" in Page(html_page(run_of([soak]))).words


def test_empty_run_has_a_page() -> None:
    assert "No scenario was run." in Page(html_page(RunRecord("", 0.0, Verdict.PASS))).words


def css_colours(css: str, selector_end: str) -> dict[str, str]:
    block = css[css.index(selector_end) :]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block[: block.index("}")]))


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """As WCAG 2 defines it."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [":root {", "(prefers-color-scheme: dark) {", "@media print {"])
def test_every_text_has_the_contrast_that_wcag_aa_requires(scheme: str) -> None:
    colours = css_colours(resources.files("hil.report").joinpath("page/style.css").read_text(encoding="utf-8"), scheme)
    for verdict in Verdict:
        assert contrast(colours[verdict], colours["card"]) >= 4.5
        assert contrast(colours[verdict], colours["ground"]) >= 4.5
        assert contrast(colours["ink"], colours[f"{verdict}-wash"]) >= 4.5
        assert contrast(colours["sign"], colours[verdict]) >= 3
    for ground in ("card", "ground"):
        for text in ("ink", "quiet", "link"):
            assert contrast(colours[text], colours[ground]) >= 4.5
    for shape in ("bars", "floor", "event"):
        assert contrast(colours[shape], colours["card"]) >= 3


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
@pytest.mark.parametrize("width", [400, 1200])
def test_page_is_not_wider_than_the_window(width: int, tmp_path: Path) -> None:
    assert CHROMIUM is not None
    html = html_page(big_run(), compare(older_run(), big_run(), name="old.json")).replace("<details", "<details open")
    measure = (
        "<script>const f=document.querySelector('iframe');"
        "f.onload=()=>document.title='wide '+f.contentDocument.documentElement.scrollWidth;</script>"
    )
    escaped = html.replace("&", "&amp;").replace('"', "&quot;")
    frame = (
        f'<!DOCTYPE html><iframe style="border:0;height:900px;width:{width}px" srcdoc="{escaped}"></iframe>{measure}'
    )
    (tmp_path / "frame.html").write_text(frame, encoding="utf-8")
    ended = subprocess.run(
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--virtual-time-budget=5000",
            "--dump-dom",
            (tmp_path / "frame.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=3 * PATIENCE_S,
        check=True,
    )
    found = re.search(r"<title>wide (\d+)</title>", ended.stdout)
    assert found is not None
    assert int(found[1]) <= width
