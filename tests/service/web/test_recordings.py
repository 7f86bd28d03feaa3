"""The recordings in the page: the table, one recording with a model over it, downloads, uploads, deleting."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from models.registry import Registry
from service.recording.sidecar import read_sidecar
from service.recording.store import sidecar_path
from service.web.scored_recording import score_stored
from service.web.stored_recordings import add_upload, delete_recording, find_recording, list_rows
from stinger.device_name import DeviceName
from stinger.errors import InputError
from stinger.logs import read_log, write_log
from tests.helpers.recordings import NOW_S, write_recording
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
    answer = httpx.post(f"{page_only.address}/recordings/upload", params=query, content=content)
    assert answer.status_code == 422
    assert why in answer.text
    assert not list(page_only.folder.rglob("*.bin"))
    assert list_rows(recordings) == []


def test_downloads_are_the_samples_as_records_and_as_csv(page_only: Stage, recordings: Path, tmp_path: Path) -> None:
    path = write_recording(recordings, "b1", NOW_S, SAMPLES)
    url = f"{page_only.address}/recordings/b1/{path.stem}"
    answer = httpx.get(f"{url}.bin")
    assert answer.content == SAMPLES.tobytes()
    assert answer.headers["content-disposition"] == f'attachment; filename="{path.stem}.bin"'
    (tmp_path / "log.csv").write_bytes(httpx.get(f"{url}.csv").content)
    assert read_log(tmp_path / "log.csv").samples.tobytes() == SAMPLES.tobytes()


@pytest.mark.parametrize(
    "name",
    [
        "../broker-password.bin",
        "..%2Fbroker-password.bin",
        "b1/..%2F..%2Fbroker-password.bin",
        "b1/%2e%2e%2f%2e%2e%2fbroker-password",
        "%2e%2e/broker-password.csv",
        "b1/20260101T000000.000Z.json",
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
    answer = httpx.get(f"{page_only.address}/recordings/{name}")
    assert answer.status_code == 404
    assert "secret" not in answer.text
    (recordings / "linked").unlink()


def test_a_recording_that_is_being_written_is_not_deleted(tmp_path: Path) -> None:
    path = write_recording(tmp_path, "b1", NOW_S, SAMPLES, closed=False)
    with pytest.raises(InputError, match="still being written"):
        delete_recording(tmp_path, "b1", path.stem)
    assert path.exists()


def test_a_log_of_two_boots_becomes_two_recordings(tmp_path: Path) -> None:
    kept = add_upload(tmp_path / "recordings", DeviceName("b1"), "two.bin", SAMPLES.tobytes() * 2)
    assert [path.read_bytes() for path in kept] == [SAMPLES.tobytes()] * 2
    assert find_recording(tmp_path / "recordings", "b1", kept[1].stem) == kept[1]


def test_shots_and_wheels_are_those_of_the_decision(tmp_path: Path) -> None:
    path = write_recording(tmp_path, "b1", NOW_S, SAMPLES)
    scored = score_stored(path, Registry(tmp_path / "registry"), "factory")
    assert scored.count == 6_000
    assert len(scored.shots) == 6
    on = False
    for mark in scored.marks:
        if mark.kind in ("on", "off"):
            assert (mark.kind == "on") is not on
            on = mark.kind == "on"
        elif mark.kind == "in time":
            assert on
            assert mark.lead_ms is not None
            assert mark.lead_ms >= 100


def test_a_model_that_is_a_path_is_refused(tmp_path: Path) -> None:
    path = write_recording(tmp_path, "b1", NOW_S, SAMPLES)
    with pytest.raises(InputError, match="no model of that name"):
        score_stored(path, Registry(tmp_path / "registry"), str(path))
