"""The way from a blaster's log to models on it, in a browser, with an emulated blaster on a pty that may be unplugged."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from hil.emulated import EmulatedBlaster
from models.factory import factory_model
from models.graph.export import blaster_model_of
from service.recording.marking import change_marks
from service.round_trip.personal_result import PersonalModelResult, PersonalResult, read_result, write_result
from service.web.action_settings import ActionSettings
from service.web.actions import Kind
from service.web.personalisation import LOG_NAME, PERSONAL_FOLDER, Personalisation
from stinger.errors import FileError, InputError
from stinger.logs import write_log
from stinger.mlmd import BlasterModel, fingerprint, read_mlmd, write_mlmd
from tests.helpers.cli import invoke
from tests.helpers.drawing import open_fonts
from tests.helpers.patience import PATIENCE_S
from tests.helpers.recordings import NOW_S, write_recording
from tests.helpers.samples import random_samples
from tests.helpers.synthetic import synthetic_samples
from tests.service.round_trip.emulated_client import device_in_thread, port_of
from tests.service.web.stage import PATIENCE_MS, Stage

pytestmark = pytest.mark.skipif(os.name != "posix", reason="ptys and the emulated blaster need POSIX")

expect.set_options(PATIENCE_MS)

PLAYED = synthetic_samples(6000, 24)
LONG = random_samples(40_000)
"""A log whose transfer, slowed down, takes long enough to unplug the blaster in the middle."""


@pytest.fixture(scope="module")
def page_only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A page without a daemon."""
    open_fonts()
    stage = Stage(tmp_path_factory.mktemp("personalise"))
    try:
        stage.start_page()
        yield stage
    finally:
        stage.close()


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[ActionSettings]:
    settings = ActionSettings(tmp_path / "data", tuple)
    yield settings
    settings.actions.close()


def choose_port(page: Page, port: str) -> None:
    page.get_by_label("or another address").fill(port)
    page.wait_for_timeout(100)  # for the page's process to learn of it


def outcome(action: str) -> str:
    return f"[data-action={action}] [data-fact=outcome]"


def test_a_port_is_chosen_by_itself_only_if_it_is_a_blasters(page_only: Stage, page: Page) -> None:
    page.goto(f"{page_only.address}/personalise")
    expect(page.get_by_text("No blaster is found")).to_be_visible()
    expect(page.get_by_label("Blaster at")).to_have_value("")
    page.get_by_role("button", name="Fetch the log").click()
    expect(page.get_by_text("choose the blaster's port first")).to_be_visible()


def test_a_blaster_that_is_named_at_the_start_is_chosen(page: Page, tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    try:
        stage.start_page("--blaster", "bridge=tcp://127.0.0.1:4000")
        page.goto(f"{stage.address}/personalise")
        expect(page.get_by_label("Blaster at")).to_have_value("tcp://127.0.0.1:4000")
        expect(page.get_by_label("Blaster at")).to_contain_text("tcp://127.0.0.1:4000: bridge")
    finally:
        stage.close()


@pytest.mark.parametrize(
    ("named", "problem"),
    [
        ("tcp://127.0.0.1:4000", "expected NAME=ADDRESS"),
        ("bridge=", "expected NAME=ADDRESS"),
        ("bridge=tcp://127.0.0.1", "no address of a blaster"),
    ],
)
def test_a_named_blaster_without_name_or_address_is_refused(named: str, problem: str) -> None:
    refused = invoke("web", "--blaster", named)
    assert refused.exit_code == 2
    assert problem in refused.output


@pytest.mark.slow
def test_a_log_becomes_a_model_on_the_blaster(page_only: Stage, context: BrowserContext, tmp_path: Path) -> None:
    page, other = context.new_page(), context.new_page()
    port = tmp_path / "blaster"
    with device_in_thread(port_of("pty", tmp_path), blaster=EmulatedBlaster(logged=PLAYED)) as device:
        other.goto(f"{page_only.address}/personalise")
        page.goto(f"{page_only.address}/personalise")
        choose_port(page, str(port))
        page.get_by_role("button", name="Fetch the log").click()
        expect(page.locator(outcome("fetch"))).to_contain_text("✓ Finished")
        expect(page.locator("[data-fact=log]")).to_contain_text(f"fetched from {port}")
        expect(page.locator("[data-fact=quality]")).to_contain_text("22 of 100")
        expect(other.locator("[data-fact=log]")).to_contain_text(f"fetched from {port}")
        page.get_by_role("button", name="Train on this log").click()
        expect(page.locator(outcome("personal_training"))).to_contain_text("✓ Finished", timeout=3 * PATIENCE_MS)
        expect(page.get_by_text("LR: predicts your shots better than chance.", exact=True)).to_be_visible()
        overview = page.get_by_role("img", name="Probabilities over the whole recording")
        assert overview.evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 400
        page.get_by_role("button", name="Upload to the blaster").click()
        expect(page.locator(outcome("upload"))).to_contain_text("✓ Finished")
        expect(page.locator("[data-action=upload] pre")).to_contain_text("loaded and verified")
        [result] = page_only.data.glob(f"{PERSONAL_FOLDER}/*/training-*")
        models = [read_mlmd(result / f"ml_model_{kind}.bin") for kind in ("lr", "mlp")]
        assert device.blaster.models.fingerprints == fingerprint(models[0]) | fingerprint(models[1])
        threshold = read_result(result).models[0].threshold_percent
        for shown in (page, other):
            expect(shown.locator("[data-fact=menu]")).to_contain_text(
                f"choose ML:LR and set the threshold to {threshold} %"
            )


def keep_model_to_upload(page_only: Stage) -> BlasterModel:
    """Write the result of a training on a new log, of which one model can be uploaded; return that model."""
    personal = Personalisation(ActionSettings(page_only.data, tuple))
    personal.keep_upload("log.bin", PLAYED.tobytes())
    log = personal.log()
    assert log is not None
    folder = log.path.parent / "training-20260101T000000.000Z"
    folder.mkdir()
    model = blaster_model_of(factory_model())
    write_mlmd(folder / "ml_model_mlp.bin", model)
    shown = PersonalModelResult("MLP", "ml_model_mlp.bin", 43, beats_chance=True, figures="f", verdict="v", training="")
    refused = replace(shown, menu_name="LR", file="nothing.bin", beats_chance=False)
    write_result(folder, PersonalResult((refused, shown), (), ()))
    return model


def test_a_trained_model_is_shown_uploaded_and_verified(page_only: Stage, page: Page, tmp_path: Path) -> None:
    model = keep_model_to_upload(page_only)
    page.goto(f"{page_only.address}/personalise")
    expect(page.get_by_text("Uploads MLP, and then compares")).to_be_visible()
    expect(page.locator("[data-fact=menu]")).to_contain_text("choose ML:MLP and set the threshold to 43 %")
    expect(page.locator("[data-fact=menu]")).not_to_contain_text("LR")
    with device_in_thread(port_of("pty", tmp_path)) as device:
        choose_port(page, str(tmp_path / "blaster"))
        page.get_by_role("button", name="Upload to the blaster").click()
        expect(page.locator(outcome("upload"))).to_contain_text("✓ Finished")
        page.locator("[data-action=upload] summary").click()
        expect(page.locator("[data-action=upload] pre")).to_contain_text("loaded and verified")
        uploaded = {name: device.blaster.models.fingerprints[name] for name in fingerprint(model)}
        assert uploaded == fingerprint(model)


def test_an_unplugged_blaster_is_reported_and_fetching_again_works(
    page_only: Stage, page: Page, tmp_path: Path
) -> None:
    page.goto(f"{page_only.address}/personalise")
    port = tmp_path / "blaster"
    choose_port(page, str(port))
    slow = device_in_thread(port_of("pty", tmp_path), faults=["slow:kb=20"], blaster=EmulatedBlaster(logged=LONG))
    with slow:
        page.get_by_role("button", name="Fetch the log").click()
        expect(page.locator("[data-action=fetch] [data-fact=action]")).to_contain_text("left in this step")
    expect(page.locator(outcome("fetch"))).to_contain_text("unplugged or switched off, after")
    expect(page.locator(outcome("fetch"))).to_contain_text("plug the blaster in and try again")
    expect(page.get_by_label("or another address")).to_have_value(str(port))
    expect(page.locator("[data-fact=log]")).not_to_contain_text(str(port))
    with device_in_thread(port_of("pty", tmp_path), blaster=EmulatedBlaster(logged=LONG)):
        page.get_by_role("button", name="Fetch the log").click()
        expect(page.locator(outcome("fetch"))).to_contain_text("✓ Finished")
    expect(page.locator("[data-fact=log]")).to_contain_text(f"fetched from {port}")


def test_a_blaster_unplugged_during_the_upload_is_reported_and_uploading_again_works(
    page_only: Stage, page: Page, tmp_path: Path
) -> None:
    model = keep_model_to_upload(page_only)
    begun = threading.Event()

    class WatchedBlaster(EmulatedBlaster):
        def begin_upload(self) -> None:
            super().begin_upload()
            begun.set()

    page.goto(f"{page_only.address}/personalise")
    expect(page.get_by_text("Uploads MLP, and then compares")).to_be_visible()
    choose_port(page, str(tmp_path / "blaster"))
    with device_in_thread(port_of("pty", tmp_path), faults=["lostend"], blaster=WatchedBlaster()):
        page.get_by_role("button", name="Upload to the blaster").click()
        assert begun.wait(PATIENCE_S)
    outcome_text = page.locator(outcome("upload"))
    expect(outcome_text).to_contain_text("⚠ Failed")
    expect(outcome_text).to_contain_text("unplugged or switched off")
    assert "Traceback" not in page.locator("[data-action=upload] pre").inner_text()
    with device_in_thread(port_of("pty", tmp_path)) as device:
        page.get_by_role("button", name="Upload to the blaster").click()
        expect(outcome_text).to_contain_text("✓ Finished")
        uploaded = {name: device.blaster.models.fingerprints[name] for name in fingerprint(model)}
        assert uploaded == fingerprint(model)


def test_a_file_and_a_recording_can_be_used_instead_and_their_names_are_text(
    page_only: Stage, page: Page, tmp_path: Path
) -> None:
    log = tmp_path / "<img src=x onerror=alert(1)>.csv"
    write_log(log, PLAYED[:1000])
    write_recording(page_only.data / "recordings", "left", NOW_S, PLAYED)
    page.goto(f"{page_only.address}/personalise")
    page.get_by_text("Use a file, or a recording").click()
    page.get_by_label("Log file").set_input_files(log)
    page.get_by_role("button", name="Use this file").click()
    expect(page.locator("[data-fact=log]")).to_contain_text("uploaded: <img src=x onerror=alert(1)>.csv")
    expect(page.locator("[data-fact=quality]")).to_contain_text("4 shots is very few")
    page.get_by_role("button", name="Train on this log").click()
    expect(page.locator(".hint", has_text="Not yet: the log holds 4 accepted shots.")).to_be_visible()
    page.get_by_role("button", name="Use this recording").click()
    expect(page.locator("[data-fact=log]")).to_contain_text("recording 2026")
    expect(page.locator("[data-fact=quality]")).to_contain_text("24 of 100 shots")
    assert page.locator("img[src=x]").count() == 0


@pytest.mark.parametrize(("content", "why"), [(b"", "Not kept"), (b"no log", "Not kept"), (b"PK\x03\x04", "Not kept")])
def test_an_upload_that_is_no_log_changes_nothing(page_only: Stage, content: bytes, why: str) -> None:
    before = sorted(page_only.data.rglob("*"))
    answer = httpx.post(
        f"{page_only.address}/personalise/log", params={"name": "../../evil.bin"}, content=content, timeout=PATIENCE_S
    )
    assert (answer.status_code, why in answer.text) == (422, True)
    assert sorted(page_only.data.rglob("*")) == before


def test_an_upload_of_another_site_is_refused(page_only: Stage) -> None:
    address = f"{page_only.address}/personalise/log"
    answer = httpx.post(
        address, content=PLAYED.tobytes(), headers={"Origin": "http://evil.example"}, timeout=PATIENCE_S
    )
    assert answer.status_code == 403


def test_a_fetch_that_fails_keeps_the_log_before(settings: ActionSettings) -> None:
    personal = Personalisation(settings)
    personal.keep_upload("first.bin", PLAYED.tobytes())
    before = personal.log()
    personal.fetch("/nowhere/port")
    action = settings.actions.newest(Kind.FETCH)
    assert action is not None
    assert action.wait(PATIENCE_S)
    assert "no such port" in action.problem
    assert personal.log() == before
    time.sleep(0.002)  # folders are named by the millisecond
    personal.keep_upload("second.bin", PLAYED[:500].tobytes())
    assert len(list((settings.data_dir / PERSONAL_FOLDER).iterdir())) == 2
    again = Personalisation(settings).log()  # as after a restart of the page
    assert again is not None
    assert again.origin == "uploaded: second.bin"


@pytest.mark.parametrize("port", ["", "  ", "a\nb", "x" * 500])
def test_a_port_that_cannot_be_one_is_refused(settings: ActionSettings, port: str) -> None:
    with pytest.raises(InputError, match="choose the blaster's port"):
        Personalisation(settings).fetch(port)
    assert not settings.data_dir.exists()


def test_steps_that_lack_the_one_before_say_so(settings: ActionSettings) -> None:
    personal = Personalisation(settings)
    with pytest.raises(InputError, match="no log yet"):
        personal.train()
    with pytest.raises(InputError, match="no model yet"):
        personal.upload("/dev/ttyACM0")
    assert (personal.log(), personal.quality(), personal.result()) == (None, None, None)


def test_a_model_that_is_not_better_than_chance_is_not_uploaded(settings: ActionSettings) -> None:
    personal = Personalisation(settings)
    personal.keep_upload("log.bin", PLAYED.tobytes())
    log = personal.log()
    assert log is not None
    model = PersonalModelResult("LR", "ml_model_lr.bin", 43, beats_chance=False, figures="", verdict="", training="")
    folder = log.path.parent / "training-20260101T000000.000Z"
    folder.mkdir()
    write_result(folder, PersonalResult((model,), (), ()))
    with pytest.raises(InputError, match="no model is better than chance"):
        personal.upload("/dev/ttyACM0")


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    model = PersonalModelResult("LR", "ml_model_lr.bin", 43, beats_chance=True, figures="f", verdict="v", training="t")
    result = PersonalResult((model,), (("overview.png", "all"),), (("a/evaluation.md", "numbers"),))
    write_result(tmp_path, result)
    assert read_result(tmp_path) == result


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"schema": 2}', b'{"schema": 1, "models": [{}]}', b"\xff"])
def test_a_damaged_result_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "personal.json").write_bytes(content)
    with pytest.raises(FileError, match="train again"):
        read_result(tmp_path)


def test_the_marks_of_a_recording_count_in_the_log_that_it_becomes(settings: ActionSettings) -> None:
    path = write_recording(settings.data_dir / "recordings", "left", NOW_S, PLAYED)
    personal = Personalisation(settings)
    personal.use_saved(path)
    before = personal.quality()
    change_marks(path, 0, lambda marks: marks.leave_out(0, 30_000))
    time.sleep(0.002)  # folders are named by the millisecond
    personal.use_saved(path)
    after = personal.quality()
    assert before is not None
    assert after is not None
    assert 0 < after.quality.shots < before.quality.shots
    assert any("30.0 s left out" in note for note in after.notes)


def test_the_log_of_a_folder_without_origin_is_still_found(settings: ActionSettings) -> None:
    folder = settings.data_dir / PERSONAL_FOLDER / "20260101T000000.000Z"
    folder.mkdir(parents=True)
    write_log(folder / LOG_NAME, PLAYED)
    log = Personalisation(settings).log()
    assert log is not None
    assert log.origin == "?"
