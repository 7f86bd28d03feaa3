"""The commands of a user, in processes with the limits of Windows and macOS: see ``tests/helpers/other_systems``.

Nothing may be refused, not even an error that the program handles.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from models.factory import factory_model_bytes
from models.registry import Registry
from stinger.logs.writing import write_log
from tests.helpers.cli import STINGER
from tests.helpers.daemons import DaemonProcess
from tests.helpers.other_systems import MACOS, WINDOWS, environment, refusals
from tests.helpers.patience import PATIENCE_S
from tests.helpers.synthetic import synthetic_samples

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the limits of other systems are made from those of Linux"),
    pytest.mark.timeout(300),
]

CTRL_C, CTRL_BREAK = signal.SIGINT, signal.SIGUSR1
HANDLED = ("SelectorLoop.add_signal_handler [fleet.py",)
"""What the program tries and does without."""


class OtherSystem:
    """Runs ``stinger`` with the limits of ``system``, in ``folder``."""

    def __init__(self, folder: Path, system: str) -> None:
        self.folder = folder
        self.notes = folder / "limits"
        self.environment = os.environ | environment(self.notes, system)
        self.stop = CTRL_BREAK if system == WINDOWS else signal.SIGTERM

    def run(self, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, and check its exit code."""
        done = subprocess.run(
            [*STINGER, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            encoding=self.environment["PYTHONIOENCODING"],
            timeout=240,
            check=False,
        )
        assert done.returncode == code, (done.stdout, done.stderr, refusals(self.notes))
        return done

    @contextmanager
    def running(self, *arguments: object, name: str = "process") -> Iterator[DaemonProcess]:
        """Run a command while the block runs; what it prints goes to one file."""
        log = self.folder / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*STINGER, *map(str, arguments)],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            yield DaemonProcess(process, log)
        finally:
            process.kill()
            process.wait(PATIENCE_S)

    @contextmanager
    def blaster(self, recording: Path) -> Iterator[str]:
        """Run an emulated blaster with ``recording`` as its log; the URL of its port."""
        with self.running("emulate", "--tcp", "127.0.0.1:0", "--log", recording, name="blaster") as blaster:
            address = blaster.wait_for(r"127\.0\.0\.1:[0-9]+")[0]
            yield f"tcp://{address}"
            blaster.process.send_signal(CTRL_C)
            blaster.end()
            assert "Traceback" not in blaster.log_text()

    def unexpected(self) -> list[str]:
        """Return what would have been refused, without what the program does without."""
        return [line for line in refusals(self.notes) if not line.startswith(HANDLED)]


@pytest.fixture(params=[WINDOWS, pytest.param(MACOS, marks=pytest.mark.slow)])
def system(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[OtherSystem]:
    """Commands under the limits of another system, none of which may have been refused anything."""
    limited = OtherSystem(tmp_path, request.param)
    yield limited
    assert limited.unexpected() == []


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A recording of a minute with 24 shots."""
    path = tmp_path / "session.bin"
    write_log(path, synthetic_samples(6000, 24))
    return path


@pytest.mark.slow
def test_demo_shows_a_shot(system: OtherSystem) -> None:
    with system.running("demo") as demo:
        demo.wait_for("demo: link streaming")
        demo.wait_for("demo: shot, wheels")
        demo.process.send_signal(CTRL_C)
        assert demo.end() == 0


@pytest.mark.slow
def test_demo_ends_after_its_seconds(system: OtherSystem) -> None:
    assert system.run("demo", "--seconds", "2").stderr == ""


def test_demo_ends_at_ctrl_c(system: OtherSystem) -> None:
    with system.running("demo") as demo:
        demo.wait_for("link streaming")
        demo.process.send_signal(CTRL_C)
        assert demo.end() == 0
        assert "Error" not in demo.log_text()


def test_log_is_pulled_and_models_are_pushed(system: OtherSystem, recording: Path, tmp_path: Path) -> None:
    with system.blaster(recording) as port:
        system.run("pull", "--port", port, "-o", "pulled.bin")
        assert (tmp_path / "pulled.bin").read_bytes().startswith(recording.read_bytes())
        system.run("push", "--port", port, "--mlp", _model_for_the_blaster(tmp_path))


@pytest.mark.slow
def test_personalise_trains_on_the_log_and_uploads(system: OtherSystem, recording: Path) -> None:
    with system.blaster(recording) as port:
        done = system.run("personalise", "--port", port, "--outdir", "mine", "--yes")
    assert "Done. Unplug the blaster" in done.stdout, done.stdout


def test_daemon_records_and_is_watched_and_stops_when_asked(
    system: OtherSystem, recording: Path, tmp_path: Path
) -> None:
    registry = Registry(tmp_path / "data" / "registry")
    first = registry.add("a", factory_model_bytes(), {}).id
    run = ("--data-dir", "data", "--metrics-port", "0", "--scores", "--broker", "embedded:0")
    with system.blaster(recording) as port:
        with system.running("run", "--source", f"{port}?device=COM3", *run, name="daemon") as daemon:
            broker = f"mqtt://127.0.0.1:{daemon.port()}"
            with system.running("watch", "--broker", broker, "--data-dir", "data", name="watch") as watch:
                watch.wait_for("COM3: link streaming")
                watch.process.send_signal(CTRL_C)
                assert watch.end() == 0
            system.run("models", "promote", first, "--data-dir", "data")
            daemon.wait_for("model_changed")
            daemon.process.send_signal(system.stop)
            assert daemon.end() == 0, daemon.log_text()
        assert "Traceback" not in daemon.log_text()
    listed = system.run("recordings", "list", "--data-dir", "data").stdout
    assert "COM3" in listed
    assert [path.name for path in (tmp_path / "data" / "recordings").glob("[!.]*")] == ["COM3="]  # COM3 is reserved
    system.run("recordings", "prune", "--data-dir", "data", "--keep-size", "1KB")


@pytest.mark.slow
def test_recordings_are_played_and_retrained_on_in_two_processes(
    system: OtherSystem, recording: Path, tmp_path: Path
) -> None:
    write_log(tmp_path / "second.bin", synthetic_samples(6000, 24, seed=2))
    sources = (f"replay:{recording}?speed=0&device=a", "replay:second.bin?speed=0&device=b")
    system.run("run", "--data-dir", "data", "--broker", "embedded:0", *(f"--source={source}" for source in sources))
    done = system.run(
        *("retrain", "--data-dir", "data", "--jobs", "2", "--min-shots", "20"),
        *("--candidate", "logreg:summary", "--candidate", "logreg:flatten"),
    )
    assert "report:" in done.stdout
    assert "Traceback" not in done.stderr


CHECKS = """
import asyncio, os, sys
from pathlib import Path
refused = []

def attempt(what, call):
    try:
        call()
    except (OSError, NotImplementedError, ValueError, AttributeError, ImportError) as error:
        refused.append(what)

open("open.txt", "wb").write(b"x")
held = open("open.txt", "rb")
attempt("replace", lambda: (Path("new.txt").write_bytes(b""), os.replace("new.txt", "open.txt")))
attempt("unlink", lambda: os.unlink("open.txt"))
attempt("name", lambda: open("a:b.txt", "wb"))
attempt("reserved", lambda: os.mkdir("nul"))
attempt("dot", lambda: os.mkdir("dot."))
attempt("link", lambda: os.symlink("open.txt", "link"))
attempt("folder", lambda: os.open(".", os.O_RDONLY))
attempt("long", lambda: open("x" * 255 + "/" + "y" * 100, "wb"))
held.close()
os.unlink("open.txt")

async def on_loop(create):
    read, write = os.pipe()
    loop = asyncio.get_running_loop()
    attempt("handler", lambda: loop.add_signal_handler(2, print))
    attempt("pipe", lambda: loop.add_reader(read, print))
    try:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
        await process.wait()
    except NotImplementedError:
        refused.append("subprocess")

asyncio.run(on_loop(None))
asyncio.Runner(loop_factory=asyncio.SelectorEventLoop).run(on_loop(None))
print(*refused)
"""
MODULE = """
import os, signal, sys, time
print(sys.platform, os.name, hasattr(os, "fork"), hasattr(signal, "SIGHUP"), time.monotonic() * 64 % 1)
try:
    import fcntl
except ImportError:
    print("no fcntl")
"""


def test_limits_are_those_of_windows(tmp_path: Path) -> None:
    done = run_limited(CHECKS, tmp_path)
    assert done.stdout.split() == [
        *("replace", "unlink", "name", "reserved", "dot", "link", "folder", "long"),
        *("handler", "pipe"),  # the default loop
        *("handler", "pipe", "subprocess"),  # the selector loop
    ], done.stderr
    assert len(refusals(tmp_path / "limits")) == 13


def test_the_programs_modules_see_windows_and_others_do_not(tmp_path: Path) -> None:
    (tmp_path / "stinger").mkdir()
    (tmp_path / "stinger" / "__init__.py").write_text(MODULE)
    (tmp_path / "other.py").write_text(MODULE)
    done = run_limited(f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import stinger, other", tmp_path)
    lines = done.stdout.splitlines()
    assert lines[:2] == ["win32 nt False False 0.0", "no fcntl"], done
    assert lines[2].startswith("linux posix True True")


REPLACING = """
import subprocess, sys, time
from pathlib import Path
from service.base.link_errors import reason_of
from stinger.files import replace_path, write_bytes

Path("state").write_bytes(b"old")
reader = subprocess.Popen(
    [sys.executable, "-c", "import time; file = open('state'); print(flush=True); time.sleep(0.5)"], stdout=subprocess.PIPE
)
reader.stdout.readline()
write_bytes("state", b"new")
print(Path("state").read_bytes().decode())
with open("state"):
    try:
        write_bytes("state", b"newer")
    except Exception as error:
        print(type(error).__name__, [path.name for path in Path().iterdir() if path.name.startswith(".")])
print(reason_of(OSError(10061, "Connect call failed ('127.0.0.1', 1)")))
"""


def test_a_file_that_another_program_reads_is_replaced_once_it_is_closed(tmp_path: Path) -> None:
    done = run_limited(REPLACING, tmp_path)
    assert done.stdout.splitlines() == ["new", "FileError []", "Connection refused."], done.stderr
    assert refusals(tmp_path / "limits")


def run_limited(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a Python ``script`` with the limits of Windows, in ``folder``; what was refused is in ``folder / "limits"``."""
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env=os.environ | environment(folder / "limits"),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def _model_for_the_blaster(folder: Path) -> Path:
    path = folder / "factory.onnx"
    path.write_bytes(factory_model_bytes())
    return path
