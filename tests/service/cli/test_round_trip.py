"""The three commands, as they are typed, beside an emulated blaster."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from serial.tools.list_ports_common import ListPortInfo

from hil.emulated import EmulatedBlaster, EmulatedDevice, Port
from service.round_trip import personal_files, personalising
from stinger.logs import write_log
from stinger.mlmd import fingerprint, read_mlmd
from stinger.sample import SampleArray
from tests.helpers.cli import STINGER, invoke
from tests.helpers.drawing import open_fonts
from tests.helpers.places import ROOT
from tests.helpers.samples import random_samples, samples_at
from tests.helpers.synthetic import synthetic_samples
from tests.hil.cli.test_emulate import running
from tests.service.round_trip.emulated_client import KINDS, address_of, device_elsewhere, port_of

PATIENCE_S = 30.0
PLAYED = synthetic_samples(6000, 24)

pytestmark = pytest.mark.skipif(os.name != "posix", reason="ptys are a thing of POSIX, and so is the emulated blaster")


@pytest.fixture(params=KINDS)
def port(request: pytest.FixtureRequest, tmp_path: Path) -> Port:
    return port_of(request.param, tmp_path)


@pytest.fixture
def pty(tmp_path: Path) -> Port:
    return port_of("pty", tmp_path)


@pytest.fixture(scope="session")
def fonts() -> None:
    open_fonts()


@pytest.fixture
def small_pictures(fonts: None, monkeypatch: pytest.MonkeyPatch) -> None:
    del fonts
    monkeypatch.setattr(personal_files, "_OPTIONS", replace(personal_files._OPTIONS, max_shots=2, dpi=40))


def invoke_at(device: EmulatedDevice, command: str, *arguments: object, answer: str | None = None) -> Result:
    return invoke(command, "--port", address_of(device), *arguments, answer=answer)


def logged(samples: SampleArray) -> EmulatedBlaster:
    return EmulatedBlaster(logged=samples)


def test_pull_writes_the_log_and_says_what_is_in_it(port: Port, tmp_path: Path) -> None:
    with device_elsewhere(port, blaster=logged(PLAYED)) as device:
        result = invoke_at(device, "pull", "-o", tmp_path / "log.bin")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{tmp_path / 'log.bin'}: 102,000 bytes: 6,000 samples, 1.0 minutes, 24 shots\n"
    assert (tmp_path / "log.bin").read_bytes() == PLAYED.tobytes()


def test_pull_never_replaces_a_recording_unasked(port: Port, tmp_path: Path) -> None:
    log = tmp_path / "log.bin"
    log.write_bytes(b"precious")
    with device_elsewhere(port, blaster=logged(PLAYED)) as device:
        refused = invoke_at(device, "pull", "-o", log)
        assert (refused.exit_code, log.read_bytes()) == (2, b"precious")
        assert "is there already" in refused.stderr
        assert (invoke_at(device, "pull", "-o", log, "--overwrite")).exit_code == 0
    assert log.read_bytes() == PLAYED.tobytes()


def test_pull_of_an_empty_log_is_one_line_and_leaves_no_file(port: Port, tmp_path: Path) -> None:
    with device_elsewhere(port) as device:
        result = invoke_at(device, "pull", "-o", tmp_path / "log.bin")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "the blaster's log is empty" in result.stderr
    assert not list(tmp_path.glob("*log*"))


def test_pull_finds_the_only_blaster_and_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with running("--link", tmp_path / "blaster", "--log", _written(tmp_path)) as (_, [link]):
        blaster = ListPortInfo(link)
        blaster.vid = 0x2E8A
        monkeypatch.setattr("serial.tools.list_ports.comports", lambda: [ListPortInfo("/dev/ttyS0"), blaster])
        result = invoke("pull", "-o", tmp_path / "pulled.bin")
    assert (result.exit_code, result.stderr) == (0, f"found a blaster at {link}\n")


def test_interrupted_pull_leaves_nothing_and_the_next_one_gets_it_all(tmp_path: Path) -> None:
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


def test_push_uploads_loads_and_shows_what_the_blaster_has(port: Port, tmp_path: Path) -> None:
    model = tmp_path / "mlp.bin"
    exported = invoke("export-model", "models/factory/model.onnx", "-o", model)
    assert exported.exit_code == 0, exported.output
    with device_elsewhere(port) as device:
        pushed = invoke_at(device, "push", "--mlp", model)
        assert (pushed.exit_code, pushed.stderr.count("\n")) == (0, 2)
        assert "uploaded models  MLP\n" in pushed.stdout
        assert (invoke_at(device, "push", "--info")).stdout.startswith("model in use     an uploaded one\n")
        assert "uploaded models  none\n" in (invoke_at(device, "push", "--delete")).stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "give one of"),
        (["--info", "--delete"], "give one of"),
        (["--lr", "a.bin", "--in", "."], "give one of"),
        (["--info", "--no-load"], "--no-load belongs to an upload"),
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


@pytest.mark.usefixtures("small_pictures")
def test_personalise_brings_models_of_the_log_to_the_blaster(port: Port, tmp_path: Path) -> None:
    folder = tmp_path / "personal"
    with device_elsewhere(port, blaster=logged(PLAYED), faults=["badcrc:times=1", "chatter"]) as device:
        result = invoke_at(device, "personalise", "--yes", "--outdir", folder)
        assert result.exit_code == 0, result.output
        models = [read_mlmd(folder / f"ml_model_{kind}.bin") for kind in ("lr", "mlp")]
        shelf = device.blaster.models
        assert shelf.fingerprints == fingerprint(models[0]) | fingerprint(models[1])
        assert (shelf.user_lr, shelf.user_mlp) == (True, True)
        assert (invoke_at(device, "personalise", "--outdir", folder)).exit_code == 2  # the log there stays
    assert (folder / "ml_log.bin").read_bytes() == PLAYED.tobytes()
    assert str(folder / "overview.png") in result.stdout
    assert "trying again" in result.stderr
    assert result.stdout.endswith("choose ML:LR or ML:MLP in its menu, under Motor, Idling.\n")


@pytest.mark.usefixtures("small_pictures", "only_lr")
def test_personalise_changes_nothing_on_the_blaster_where_nobody_can_be_asked(pty: Port, tmp_path: Path) -> None:
    folder = tmp_path / "personal"
    with device_elsewhere(pty, blaster=logged(PLAYED)) as device:
        result = invoke_at(device, "personalise", "--outdir", folder)
        assert not device.blaster.models.has_files
        assert "give --yes" in result.stderr
        assert result.stdout.endswith(f"Whenever you like: stinger push --lr {folder / 'ml_model_lr.bin'}\n")
        assert (invoke_at(device, "push", "--in", folder)).exit_code == 0


@pytest.mark.usefixtures("small_pictures", "only_lr")
def test_personalise_that_cannot_upload_says_how_to_try_again(pty: Port, tmp_path: Path) -> None:
    folder = tmp_path / "personal"
    with device_elsewhere(pty, blaster=logged(PLAYED), faults=["badcrc"]) as device:
        result = invoke_at(device, "personalise", "--yes", "--outdir", folder)
    assert result.exit_code == 2
    assert f"To try again: stinger push --lr {folder / 'ml_model_lr.bin'}\n" in result.stderr
    assert "arrived damaged and was thrown away" in result.stderr.splitlines()[-1]


@pytest.mark.usefixtures("small_pictures", "only_lr")
def test_personalise_offers_no_model_that_is_no_better_than_luck(pty: Port, tmp_path: Path) -> None:
    """Pulls at random moments of random motion: there is nothing to learn."""
    rng = np.random.default_rng(3)
    trigger = np.zeros(9000)
    trigger[np.sort(rng.choice(np.arange(100, 8900, 150), 40, replace=False))] = 1
    noise = rng.normal(0, 1500, (9000, 6)).clip(-32768, 32767)
    samples = samples_at(np.arange(9000) * 10, trigger=trigger, channels=noise)
    with device_elsewhere(pty, blaster=logged(samples)) as device:
        result = invoke_at(device, "personalise", "--yes", "--outdir", tmp_path / "personal")
        assert not device.blaster.models.has_files
    assert (result.exit_code, result.stdout.count("not better than luck")) == (0, 1), result.output
    assert "Not yet: no model is worth having so far" in result.stdout


def test_personalise_of_a_short_log_is_not_yet_and_keeps_it(pty: Port, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    with device_elsewhere(pty, blaster=logged(PLAYED[:1000])) as device:
        result = invoke_at(device, "personalise", "--yes", "--outdir", folder)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "Not yet: the log holds 4 shots that count. At least 20 are needed" in result.stdout
    assert [path.name for path in folder.iterdir()] == ["ml_log.bin"]


def test_personalise_of_no_log_is_not_yet_and_leaves_no_folder(pty: Port, tmp_path: Path) -> None:
    with device_elsewhere(pty) as device:
        result = invoke_at(device, "personalise", "--yes", "--outdir", tmp_path / "a" / "b")
    assert (result.exit_code, result.stdout.count("\n")) == (0, 1)
    assert "Not yet: the blaster's log is empty" in result.stdout
    assert not (tmp_path / "a").exists()


@pytest.mark.usefixtures("small_pictures", "only_lr")
def test_personalise_does_as_it_is_told(pty: Port, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.cli.personalise.someone_to_ask", lambda: True)

    with device_elsewhere(pty, blaster=logged(PLAYED)) as device:
        declined = invoke_at(device, "personalise", "--outdir", tmp_path / "no", answer="\n")
        assert "left as it is" in declined.stdout
        assert not device.blaster.models.has_files
        agreed = invoke_at(device, "personalise", "--outdir", tmp_path / "yes", answer="y\n")
        assert "Bring LR to the blaster now?" in agreed.stdout
        assert device.blaster.models.user_lr


@pytest.fixture
def only_lr(monkeypatch: pytest.MonkeyPatch) -> None:
    """The quicker one of the two kinds, where it does not matter which."""
    monkeypatch.setattr(personalising, "SPECS", dict([*personalising.SPECS.items()][:1]))


@pytest.fixture(autouse=True)
def _in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def _written(folder: Path) -> Path:
    write_log(folder / "logged.bin", random_samples(20_000))
    return folder / "logged.bin"


def _until_open(link: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until the process has the pty open."""
    pty = os.path.realpath(link)
    deadline = time.monotonic() + PATIENCE_S
    while not any(os.path.realpath(entry) == pty for entry in Path(f"/proc/{process.pid}/fd").iterdir()):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.3)  # in the middle of the transfer, which takes two seconds
