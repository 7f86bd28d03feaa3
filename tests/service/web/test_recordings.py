"""The recordings in the page: the table, one recording with a model over it, downloads, uploads, deleting."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from models.registry import Registry
from service.recording.marking import change_marks
from service.recording.sidecar import read_sidecar
from service.web.pages.recordings import ROWS_SHOWN
from service.web.stored_recordings import list_rows
from stinger.logs import read_log, read_marked_log, write_log
from stinger.logs.marked import sidecar_path
from tests.helpers.patience import PATIENCE_S
from tests.helpers.recordings import NOW_S, write_recording
from tests.helpers.retraining import blind_model
from tests.helpers.synthetic import synthetic_samples
from tests.service.web.stage import PATIENCE_MS, Stage

expect.set_options(PATIENCE_MS)

SAMPLES = synthetic_samples(6_000, 6)


@pytest.fixture(scope="module")
def page_only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A page without a daemon."""
    stage = Stage(tmp_path_factory.mktemp("recordings"))
    try:
        stage.start_page()
        yield stage
    finally:
        stage.close()


@pytest.fixture
def recordings(page_only: Stage) -> Path:
    folder = page_only.data / "recordings"
    for path in folder.glob("*/*"):
        path.unlink()
    return folder


def test_an_empty_table_says_how_to_fill_it(page_only: Stage, recordings: Path, page: Page) -> None:
    page.goto(f"{page_only.address}/recordings")
    expect(page.get_by_text("No recording yet")).to_be_visible()
    assert list_rows(recordings) == []


def test_the_table_leads_to_a_recording_with_a_model_over_it(page_only: Stage, recordings: Path, page: Page) -> None:
    write_recording(recordings, "b1", NOW_S, SAMPLES)
    page.goto(f"{page_only.address}/recordings")
    row = page.get_by_role("row", name="b1")
    expect(row).to_contain_text("1:00.0")
    expect(row.get_by_role("cell").nth(3)).to_have_text("6")
    row.get_by_role("link").click()
    page.wait_for_function("document.querySelector('.live-chart')?.dataset.samples == 6000")
    expect(page.get_by_text("of 6 in time with this model")).to_be_visible()
    overview = page.evaluate("document.querySelector('.live-chart canvas').toDataURL()")
    page.get_by_role("button", name="1: 0:0").click()
    page.wait_for_function(f"document.querySelector('.live-chart canvas').toDataURL() !== {overview!r}")
    page.get_by_label("Model").select_option("factory")
    page.wait_for_url("**model=factory")
    page.wait_for_function("document.querySelector('.live-chart')?.dataset.scores == 6000")


def test_a_recording_is_uploaded_and_deleted_after_a_question(page_only: Stage, recordings: Path, page: Page) -> None:
    log = page_only.folder / "<b>ml_log.csv"
    write_log(log, SAMPLES)
    page.goto(f"{page_only.address}/recordings")
    page.get_by_label("Log").set_input_files(log)
    page.get_by_label("Device").fill("left")
    page.get_by_role("button", name="Upload").click()
    row = page.get_by_role("row", name="left")
    expect(row).to_contain_text("uploaded: <b>ml_log.csv")
    [path] = (recordings / "left").glob("*.bin")
    assert path.read_bytes() == SAMPLES.tobytes()
    assert read_sidecar(sidecar_path(path)).closed
    row.get_by_role("link").click()
    page.get_by_role("button", name="Delete …").click()
    page.get_by_role("button", name="Keep it").click()
    assert path.exists()
    page.get_by_role("button", name="Delete …").click()
    page.get_by_role("button", name="Delete it").click()
    expect(page.get_by_text("No recording yet")).to_be_visible()
    assert list((recordings / "left").iterdir()) == []


@pytest.mark.parametrize(
    ("device", "content", "why"),
    [
        ("left", b"no log", "Not kept"),
        ("left", b"", "Not kept"),
        ("../evil", SAMPLES.tobytes(), "device name"),
        ("", SAMPLES.tobytes(), "device name"),
    ],
)
def test_an_upload_that_is_no_log_of_a_device_is_refused(
    page_only: Stage, recordings: Path, device: str, content: bytes, why: str
) -> None:
    query = {"device": device, "name": "../../ml_log.bin"}
    answer = httpx.post(f"{page_only.address}/recordings/upload", params=query, content=content, timeout=PATIENCE_S)
    assert answer.status_code == 422
    assert why in answer.text
    assert not list(page_only.folder.rglob("*.bin"))
    assert list_rows(recordings) == []


def test_downloads_are_the_samples_as_records_and_as_csv(page_only: Stage, recordings: Path, tmp_path: Path) -> None:
    path = write_recording(recordings, "b1", NOW_S, SAMPLES)
    url = f"{page_only.address}/recordings/b1/{path.stem}"
    answer = httpx.get(f"{url}.bin", timeout=PATIENCE_S)
    assert answer.content == SAMPLES.tobytes()
    assert answer.headers["content-disposition"] == f'attachment; filename="{path.stem}.bin"'
    (tmp_path / "log.csv").write_bytes(httpx.get(f"{url}.csv", timeout=PATIENCE_S).content)
    assert read_log(tmp_path / "log.csv").samples.tobytes() == SAMPLES.tobytes()


def test_a_bundle_with_the_marks_can_be_downloaded_and_uploaded_again(
    page_only: Stage, recordings: Path, tmp_path: Path
) -> None:
    path = write_recording(recordings, "b1", NOW_S, SAMPLES)
    marks = change_marks(path, 0, lambda marks: marks.leave_out(10_000, 20_000).mark_not_shot(31_200))
    answer = httpx.get(f"{page_only.address}/recordings/b1/{path.stem}.zip", timeout=PATIENCE_S)
    assert answer.headers["content-disposition"] == f'attachment; filename="{path.stem}.zip"'
    (tmp_path / "mine.zip").write_bytes(answer.content)
    log = read_marked_log(tmp_path / "mine.zip")
    assert (log.marks, log.samples["trigger"].tolist()) == ((marks,), SAMPLES["trigger"].tolist())
    query = {"device": "left", "name": "mine.zip"}
    assert (
        httpx.post(
            f"{page_only.address}/recordings/upload", params=query, content=answer.content, timeout=PATIENCE_S
        ).status_code
        == 200
    )
    [kept] = (recordings / "left").glob("*.bin")
    assert read_marked_log(kept).marks == (marks,)


@pytest.mark.parametrize(
    "name",
    [
        "../broker-password.bin",
        "..%2Fbroker-password.bin",
        "b1/..%2F..%2Fbroker-password.bin",
        "b1/%2e%2e%2f%2e%2e%2fbroker-password",
        "%2e%2e/broker-password.csv",
        "b1/20260101T000000.000Z.json",
        "%2e%2e/broker-password.zip",
        "b1/20260101T000000.000Z.bin",
        "linked/20260101T000000.000Z.bin",
        "b1/nothing%00.bin",
    ],
)
def test_downloads_do_not_lead_out_of_the_recordings(page_only: Stage, recordings: Path, name: str) -> None:
    secret = page_only.folder / "elsewhere"
    secret.mkdir(exist_ok=True)
    (secret / "20260101T000000.000Z.bin").write_bytes(b"secret" * 17)
    (page_only.data / "broker-password").write_text("secret\n1883\n")
    recordings.mkdir(exist_ok=True)
    if not (recordings / "linked").exists():
        (recordings / "linked").symlink_to(secret)
    answer = httpx.get(f"{page_only.address}/recordings/{name}", timeout=PATIENCE_S)
    assert answer.status_code == 404
    assert b"secret" not in answer.content
    (recordings / "linked").unlink()


def test_a_stretch_is_left_out_by_keyboard_and_a_second_page_follows(
    page_only: Stage, recordings: Path, page: Page
) -> None:
    path = write_recording(recordings, "b1", NOW_S, SAMPLES)
    url = f"{page_only.address}/recording/b1/{path.stem}?model=factory"
    other = page.context.new_page()
    for one in (other, page):
        one.goto(url)
        expect(one.get_by_text("of 6 in time")).to_be_visible()
    page.get_by_label("From").focus()
    page.keyboard.type("0")
    page.keyboard.press("Tab")
    page.keyboard.type("30")
    page.keyboard.press("Enter")
    for one in (page, other):
        one.wait_for_function("document.querySelector('.live-chart').dataset.leftOut === '[[0,30000]]'")
        expect(one.get_by_text("of 3 in time")).to_be_visible()
    assert [marks.left_out for marks in read_sidecar(sidecar_path(path)).marks] == [((0, 30_000),)]
    other.get_by_role("button", name="Use 0.00 to 30.00 s again").click()
    for one in (other, page):
        expect(one.get_by_text("of 6 in time")).to_be_visible()


def test_a_stretch_is_left_out_by_dragging_over_the_picture(page_only: Stage, recordings: Path, page: Page) -> None:
    path = write_recording(recordings, "b1", NOW_S, SAMPLES)
    page.goto(f"{page_only.address}/recording/b1/{path.stem}")
    page.wait_for_function("document.querySelector('.live-chart')?.dataset.samples == 6000")
    box = page.locator("canvas").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 1, box["y"] + 90, steps=3)
    page.mouse.up()
    page.wait_for_function("document.querySelector('input[name=to]').value === '59.990'")
    page.get_by_role("button", name="Leave it out").click()
    page.wait_for_function("JSON.parse(document.querySelector('.live-chart').dataset.leftOut).length === 1")
    ((first, last),) = read_sidecar(sidecar_path(path)).marks[0].left_out
    assert 25_000 < first < 32_000
    assert last == 59_990


def test_a_shot_is_marked_as_none_and_as_one_again_by_keyboard(page_only: Stage, recordings: Path, page: Page) -> None:
    path = write_recording(recordings, "b1", NOW_S, SAMPLES, sidecar=False)
    page.goto(f"{page_only.address}/recording/b1/{path.stem}")
    page.get_by_role("button", name="Mark 2 as not a shot").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Mark 2 as a shot after all")).to_be_focused()
    expect(page.get_by_text("of 5 in time")).to_be_visible()
    assert len(read_sidecar(sidecar_path(path)).marks[0].not_shots) == 1
    page.keyboard.press("Enter")
    expect(page.get_by_text("of 6 in time")).to_be_visible()
    assert read_sidecar(sidecar_path(path)).marks == ()


def test_two_models_are_shown_over_the_same_shots(page_only: Stage, recordings: Path, page: Page) -> None:
    version = Registry(page_only.data / "registry").add("other-model", blind_model(), {})
    path = write_recording(recordings, "b1", NOW_S, SAMPLES)
    page.goto(f"{page_only.address}/recording/b1/{path.stem}?model=factory")
    page.get_by_label("Compare with").select_option(version.id)
    page.wait_for_function("document.querySelector('.live-chart')?.dataset.compared == 6000")
    expect(page.get_by_text(f"of 6 in time with {version.id}")).to_be_visible()
    expect(page.get_by_role("row", name="1: 0:0").get_by_role("cell").nth(1)).to_contain_text("wheels on for 4310 ms")


def test_all_parts_of_a_long_recording_and_all_boots_of_a_log_can_be_seen(
    page_only: Stage, recordings: Path, page: Page
) -> None:
    path = write_recording(recordings, "b1", NOW_S, np.concatenate([SAMPLES, SAMPLES[:3000]]))
    page.goto(f"{page_only.address}/recording/b1/{path.stem}?model=factory")
    page.get_by_label("Part of 2").select_option("recording 2, 0:00:00 to 0:00:29")
    page.wait_for_function("document.querySelector('.live-chart')?.dataset.samples == 3000")
    page.get_by_role("button", name="Mark 1 as not a shot").click()
    expect(page.get_by_role("button", name="Mark 1 as a shot after all")).to_be_visible()
    page.get_by_label("Model").select_option("champion")
    page.wait_for_url("**model=champion&part=2")
    first, second = read_sidecar(sidecar_path(path)).marks
    assert (len(first.not_shots), len(second.not_shots)) == (0, 1)


def test_more_recordings_than_a_page_holds_are_reached_by_paging_and_by_search(
    page_only: Stage, recordings: Path, page: Page
) -> None:
    for number in range(ROWS_SHOWN + 3):
        write_recording(recordings, f"b{number % 7}", NOW_S + number, SAMPLES[:60])
    page.goto(f"{page_only.address}/recordings")
    expect(page.get_by_text("203 recordings")).to_contain_text("1 to 200 are shown")
    page.get_by_role("button", name="Older").click()
    expect(page.get_by_text("203 recordings")).to_contain_text("201 to 203 are shown")
    expect(page.get_by_role("row")).to_have_count(4)
    page.get_by_label("Search").fill("B3 12:00:03")
    expect(page.get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("row").nth(1)).to_contain_text("2026-11-24 12:00:03")
    page.get_by_label("Search").fill("nothing")
    expect(page.get_by_text("none matches")).to_be_visible()


def test_a_new_recording_appears_in_the_table_by_itself(page_only: Stage, recordings: Path, page: Page) -> None:
    page.goto(f"{page_only.address}/recordings")
    expect(page.get_by_text("No recording yet")).to_be_visible()
    write_recording(recordings, "left", NOW_S, SAMPLES[:600])
    expect(page.get_by_role("row", name="left")).to_be_visible()
