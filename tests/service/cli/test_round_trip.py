"""The commands pull, push and personalise, run against an emulated blaster."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from serial.tools.list_ports_common import ListPortInfo

from hil.emulated import EmulatedBlaster, EmulatedDevice, Port
from models.stream_rows import StreamOptions
from service.cli.personalise_work import DEFAULT_SETTINGS, PersonaliseSettings
from service.round_trip.personal_files import PICTURE_OPTIONS
from service.round_trip.personalising import SPECS
from stinger.cli import main
from stinger.logs import write_log
from stinger.logs.bundle import BundledRecording, BundleWriter
from stinger.mlmd import fingerprint, read_mlmd
from stinger.sample import SampleArray
from tests.helpers.cli import STINGER, invoke
from tests.helpers.drawing import open_fonts
from tests.helpers.patience import PATIENCE_S
from tests.helpers.places import ROOT
from tests.helpers.recordings import NOW_S, write_recording
from tests.helpers.samples import random_samples, samples_at
from tests.helpers.synthetic import synthetic_samples
from tests.hil.cli.test_emulate import running
from tests.service.round_trip.emulated_client import KINDS, address_of, device_in_thread, port_of

PLAYED = synthetic_samples(6000, 24)

pytestmark = pytest.mark.skipif(os.name != "posix", reason="ptys and the emulated blaster need POSIX")


@pytest.fixture(params=KINDS)
def port(request: pytest.FixtureRequest, tmp_path: Path) -> Port:
    return port_of(request.param, tmp_path)


@pytest.fixture
def pty(tmp_path: Path) -> Port:
    return port_of("pty", tmp_path)


@pytest.fixture(scope="session")
def fonts() -> None:
    open_fonts()


SMALL_PICTURES = replace(
    DEFAULT_SETTINGS, pictures=replace(PICTURE_OPTIONS, max_shots=2, dpi=40), rows=StreamOptions(passes=1)
)
# The faster one of the two kinds of model, where the kind does not matter.
ONLY_LR = replace(SMALL_PICTURES, specs=dict([*SPECS.items()][:1]))


def invoke_at(
    device: EmulatedDevice,
    command: str,
    *arguments: object,
    answer: str | None = None,
    settings: PersonaliseSettings | None = None,
) -> Result:
    line = [command, "--port", str(address_of(device)), *map(str, arguments)]
    return CliRunner().invoke(main, line, input=answer, obj=settings)


def personalise(*arguments: object) -> Result:
    """Run the command without a blaster, for the faster one of the two kinds of model."""
    return CliRunner().invoke(main, ["personalise", *map(str, arguments)], obj=ONLY_LR)


def logged(samples: SampleArray) -> EmulatedBlaster:
    return EmulatedBlaster(logged=samples)


def test_pull_writes_the_log_and_summarises_it(port: Port, tmp_path: Path) -> None:
    with device_in_thread(port, blaster=logged(PLAYED)) as device:
        result = invoke_at(device, "pull", "-o", tmp_path / "log.bin")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{tmp_path / 'log.bin'}: 102,000 bytes: 6,000 samples, 1.0 minutes, 24 shots\n"
    assert (tmp_path / "log.bin").read_bytes() == PLAYED.tobytes()


def test_pull_replaces_a_file_only_with_overwrite(port: Port, tmp_path: Path) -> None:
    log = tmp_path / "log.bin"
    log.write_bytes(b"precious")
    with device_in_thread(port, blaster=logged(PLAYED)) as device:
        refused = invoke_at(device, "pull", "-o", log)
        assert (refused.exit_code, log.read_bytes()) == (2, b"precious")
        assert "exists already" in refused.stderr
        assert (invoke_at(device, "pull", "-o", log, "--overwrite")).exit_code == 0
    assert log.read_bytes() == PLAYED.tobytes()


def test_pull_of_an_empty_log_is_one_line_and_leaves_no_file(port: Port, tmp_path: Path) -> None:
    with device_in_thread(port) as device:
        result = invoke_at(device, "pull", "-o", tmp_path / "log.bin")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "the blaster's log is empty" in result.stderr
    assert not list(tmp_path.glob("*log*"))


def test_pull_finds_the_only_blaster_and_names_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with running("--link", tmp_path / "blaster", "--log", _written(tmp_path)) as (_, [link]):
        blaster = ListPortInfo(link)
        blaster.vid = 0x2E8A
        monkeypatch.setattr("serial.tools.list_ports.comports", lambda: [ListPortInfo("/dev/ttyS0"), blaster])
        result = invoke("pull", "-o", tmp_path / "pulled.bin")
    assert (result.exit_code, result.stderr) == (0, f"found a blaster at {link}\n")


def test_interrupted_pull_leaves_nothing_and_the_next_one_succeeds(tmp_path: Path) -> None:
    log, pulled = _written(tmp_path), tmp_path / "out" / "pulled.bin"
    pulled.parent.mkdir()
    faults = ("--fault", "slow:kb=150")
    with running("--link", tmp_path / "blaster", "--log", log, *faults) as (_, [link]):
        command = [*STINGER, "pull", "--port", link, "-o", str(pulled)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                _until_open(Path(link), process)
                process.send_signal(signal.SIGINT)
                _, errors = process.communicate(timeout=PATIENCE_S)
            finally:
                process.kill()
        assert (process.returncode, errors.strip()) == (1, b"Aborted!")
        assert list(pulled.parent.iterdir()) == []
        again = subprocess.run(command, capture_output=True, timeout=PATIENCE_S, check=False)
        assert again.returncode == 0, again.stderr
    assert pulled.read_bytes().startswith(log.read_bytes())


def test_push_uploads_loads_and_shows_the_status(port: Port, tmp_path: Path) -> None:
    model = tmp_path / "mlp.bin"
    exported = invoke("export-model", "models/factory/model.onnx", "-o", model)
    assert exported.exit_code == 0, exported.output
    with device_in_thread(port) as device:
        pushed = invoke_at(device, "push", "--mlp", model)
        assert (pushed.exit_code, pushed.stderr.count("\n")) == (0, 2)
        assert "uploaded models  MLP\n" in pushed.stdout
        assert (invoke_at(device, "push", "--info")).stdout.startswith("model in use     uploaded\n")
        assert "uploaded models  none\n" in (invoke_at(device, "push", "--delete")).stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "choose one"),
        (["--info", "--delete"], "choose one"),
        (["--lr", "a.bin", "--in", "."], "choose one"),
        (["--info", "--no-load"], "--no-load is for uploads"),
        (["--lr", "/nowhere/lr.bin"], "/nowhere/lr.bin: No such file"),
        (["--in", "/nowhere"], "/nowhere: No such file"),
        (["--info", "--port", "/nowhere/port"], "/nowhere/port: no such port"),
        (["--info", "--port", "tcp://127.0.0.1:1"], "tcp://127.0.0.1:1: Connection refused"),
    ],
)
def test_mistake_is_one_line(arguments: list[str], complaint: str) -> None:
    result = invoke("push", *arguments)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert complaint in result.stderr


@pytest.mark.usefixtures("fonts")
def test_personalise_uploads_models_trained_on_the_log(pty: Port, tmp_path: Path) -> None:
    folder = tmp_path / "personal"
    with device_in_thread(pty, blaster=logged(PLAYED), faults=["badcrc:times=1", "chatter"]) as device:
        result = invoke_at(device, "personalise", "--yes", "--outdir", folder, settings=SMALL_PICTURES)
        assert result.exit_code == 0, result.output
        models = [read_mlmd(folder / f"ml_model_{kind}.bin") for kind in ("lr", "mlp")]
        shelf = device.blaster.models
        assert shelf.fingerprints == fingerprint(models[0]) | fingerprint(models[1])
        assert (shelf.user_lr, shelf.user_mlp) == (True, True)
        assert (
            invoke_at(device, "personalise", "--outdir", folder, settings=SMALL_PICTURES)
        ).exit_code == 2  # the existing log is kept
    assert (folder / "ml_log.bin").read_bytes() == PLAYED.tobytes()
    assert str(folder / "overview.png") in result.stdout
    assert "trying again" in result.stderr
    assert re.search(
        r"choose ML:LR \(threshold \d+ %\) or ML:MLP \(threshold \d+ %\) in its menu, under Motor, Idling\.\n$",
        result.stdout,
    )


@pytest.mark.usefixtures("fonts")
def test_personalise_uploads_nothing_if_nobody_can_be_asked(pty: Port, tmp_path: Path) -> None:
    folder = tmp_path / "personal"
    with device_in_thread(pty, blaster=logged(PLAYED)) as device:
        result = invoke_at(device, "personalise", "--outdir", folder, settings=ONLY_LR)
        assert not device.blaster.models.has_files
        assert "use --yes" in result.stderr
        assert result.stdout.endswith(f"To upload later: stinger push --lr {folder / 'ml_model_lr.bin'}\n")
        assert (invoke_at(device, "push", "--in", folder)).exit_code == 0


@pytest.mark.usefixtures("fonts")
def test_personalise_that_cannot_upload_prints_the_command_to_retry(pty: Port, tmp_path: Path) -> None:
    folder = tmp_path / "personal"
    with device_in_thread(pty, blaster=logged(PLAYED), faults=["badcrc"]) as device:
        result = invoke_at(device, "personalise", "--yes", "--outdir", folder, settings=ONLY_LR)
    assert result.exit_code == 2
    assert f"To try again: stinger push --lr {folder / 'ml_model_lr.bin'}\n" in result.stderr
    assert "arrived damaged and was thrown away" in result.stderr.splitlines()[-1]


@pytest.mark.usefixtures("fonts")
def test_personalise_does_not_upload_models_not_better_than_chance(pty: Port, tmp_path: Path) -> None:
    """Shots at random times of random motion: there is nothing to learn."""
    rng = np.random.default_rng(3)
    trigger = np.zeros(9000)
    trigger[np.sort(rng.choice(np.arange(100, 8900, 150), 40, replace=False))] = 1
    noise = rng.normal(0, 1500, (9000, 6)).clip(-32768, 32767)
    samples = samples_at(np.arange(9000) * 10, trigger=trigger, channels=noise)
    with device_in_thread(pty, blaster=logged(samples)) as device:
        result = invoke_at(device, "personalise", "--yes", "--outdir", tmp_path / "personal", settings=ONLY_LR)
        assert not device.blaster.models.has_files
    assert (result.exit_code, result.stdout.count("not reliably better than chance")) == (0, 1), result.output
    assert "Not yet: no model is better than chance" in result.stdout


def test_personalise_of_a_short_log_is_not_yet_and_keeps_the_log(pty: Port, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    with device_in_thread(pty, blaster=logged(PLAYED[:1000])) as device:
        result = invoke_at(device, "personalise", "--yes", "--outdir", folder)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "Warning: 4 shots is very few: 15 or more are advised." in result.stdout
    assert "Not yet: the log holds 4 accepted shots. At least 20 are needed" in result.stdout
    assert [path.name for path in folder.iterdir()] == ["ml_log.bin"]


def test_personalise_of_no_log_is_not_yet_and_leaves_no_folder(pty: Port, tmp_path: Path) -> None:
    with device_in_thread(pty) as device:
        result = invoke_at(device, "personalise", "--yes", "--outdir", tmp_path / "a" / "b")
    assert (result.exit_code, result.stdout.count("\n")) == (0, 1)
    assert "Not yet: the blaster's log is empty" in result.stdout
    assert not (tmp_path / "a").exists()


@pytest.mark.usefixtures("fonts")
def test_personalise_trains_on_saved_logs_without_a_blaster(tmp_path: Path) -> None:
    for number in (1, 2):
        write_log(tmp_path / f"{number}.bin", synthetic_samples(6000, 24, seed=number))
    result = personalise(tmp_path / "1.bin", tmp_path / "2.bin", "--outdir", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "Data quality: 44 of 100." in result.stdout
    assert "The 2 recordings: 2.0 minutes with 48 accepted shots." in result.stdout
    assert "folds by session" in (tmp_path / "out" / "logreg-summary" / "evaluation.md").read_text()
    assert not (tmp_path / "out" / "ml_log.bin").exists()
    assert "stinger push --lr" in result.stdout


@pytest.mark.usefixtures("fonts")
def test_personalise_reads_a_bundle(tmp_path: Path) -> None:
    with (tmp_path / "mine.zip").open("wb") as file:
        writer = BundleWriter(file, [BundledRecording(PLAYED.size, 100.0, 24)])
        writer.add(PLAYED)
        writer.close()
    result = personalise(tmp_path / "mine.zip", "--outdir", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "The recording: 1.0 minutes with 24 accepted shots." in result.stdout


@pytest.mark.slow
@pytest.mark.usefixtures("fonts")
def test_personalise_builds_on_the_recordings_in_the_data_folder_but_not_on_copies_of_its_log(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_recording(data / "recordings", "mine", NOW_S, PLAYED)
    write_recording(data / "recordings", "another", NOW_S, synthetic_samples(6000, 24, seed=7))
    write_log(tmp_path / "mine.bin", PLAYED)
    line = (tmp_path / "mine.bin", "--data-dir", data)
    result = personalise(*line, "--outdir", tmp_path / "beside")
    assert result.exit_code == 0, result.output
    assert re.search(r"left out: mine .*: it shares samples with the logs to train on", result.stderr)
    assert re.search(r"LR: trained on your recording( and| alone:) 1 recording in the data folder", result.stdout)
    alone = personalise(*line, "--no-others", "--outdir", tmp_path / "alone")
    assert "in the data folder" not in alone.output


@pytest.mark.usefixtures("fonts")
def test_personalise_uploads_only_if_the_user_agrees(pty: Port, tmp_path: Path) -> None:
    settings = replace(ONLY_LR, is_interactive=lambda: True)
    with device_in_thread(pty, blaster=logged(PLAYED)) as device:
        declined = invoke_at(device, "personalise", "--outdir", tmp_path / "no", answer="\n", settings=settings)
        assert "was not changed" in declined.stdout
        assert not device.blaster.models.has_files
        agreed = invoke_at(device, "personalise", "--outdir", tmp_path / "yes", answer="y\n", settings=settings)
        assert "Upload LR to the blaster now?" in agreed.stdout
        assert device.blaster.models.user_lr


@pytest.fixture(autouse=True)
def _in_the_checkout_without_recordings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("STINGER_DATA_DIR", str(tmp_path / "nothing"))


def _written(folder: Path) -> Path:
    write_log(folder / "logged.bin", random_samples(20_000))
    return folder / "logged.bin"


def _until_open(link: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until the process has opened the pty."""
    pty = os.path.realpath(link)
    deadline = time.monotonic() + PATIENCE_S
    while not any(os.path.realpath(entry) == pty for entry in Path(f"/proc/{process.pid}/fd").iterdir()):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.3)  # in the middle of the transfer, which takes two seconds
