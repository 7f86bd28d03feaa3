"""The environment of a run."""

from __future__ import annotations

import os
import platform
import pty
import subprocess
from pathlib import Path

import pytest

from hil.limits import Verdict
from hil.record import RunRecord
from hil.report.checkout import commit
from hil.report.environment import environment
from hil.report.machine import machine
from hil.report.serial_adapter import serial_adapter
from tests.helpers.patience import PATIENCE_S


def test_environment_has_program_machine_and_clock_and_fits_a_record() -> None:
    found = environment(model="factory")
    assert found["model"] == "factory"
    assert found["cores"] == os.cpu_count()
    assert found["Python"] == f"{platform.python_implementation()} {platform.python_version()}"
    assert found["numpy"] is not None
    assert isinstance(found["clock resolution, ns"], float)
    record = RunRecord("2026-01-01T00:00:00Z", 1.0, Verdict.PASS, found)
    assert RunRecord.from_json(record.to_json(), name="r").environment == found


def test_environment_names_neither_host_nor_user() -> None:
    text = " ".join(str(value) for value in environment().values())
    assert platform.node() not in text.split()
    assert str(Path.home()) not in text


def test_without_a_port_there_is_no_adapter() -> None:
    assert "serial adapter" not in environment()


def test_pseudo_terminal_has_neither_adapter_nor_latency_timer() -> None:
    here, there = pty.openpty()
    try:
        found = environment(port=os.ttyname(there))
    finally:
        os.close(here)
        os.close(there)
    assert found["serial port"] is not None
    assert (found["serial adapter"], found["serial driver"], found["latency timer, ms"]) == (None, None, None)


def a_tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


@pytest.mark.skipif(platform.system() != "Linux", reason="these are files of Linux")
def test_raspberry_pi_has_the_name_of_its_board(tmp_path: Path) -> None:
    files = {
        "etc/os-release": 'NAME="x"\nPRETTY_NAME="Raspberry Pi OS"\n',
        "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
        "proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd\n",
        "proc/meminfo": "MemTotal:        3884356 kB\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
        "sys/devices/system/cpu/cpu1/cpufreq/scaling_governor": "performance\n",
    }
    found = machine(a_tree(tmp_path, files))
    assert found["operating system"] == "Raspberry Pi OS"
    assert found["computer"] == "Raspberry Pi 4 Model B Rev 1.4"
    assert found["memory, GiB"] == 3.7
    assert found["CPU governor"] == "ondemand, performance"
    assert found["virtual machine"] is None
    assert found["container"] is None


@pytest.mark.skipif(platform.system() != "Linux", reason="these are files of Linux")
def test_container_in_a_virtual_machine_is_detected(tmp_path: Path) -> None:
    files = {
        "proc/cpuinfo": "model name\t: A Processor\nflags\t\t: fpu hypervisor sse\n",
        "sys/class/dmi/id/sys_vendor": "QEMU\n",
        "sys/class/dmi/id/product_name": "Standard PC\n",
        ".dockerenv": "",
    }
    found = machine(a_tree(tmp_path, files))
    assert (found["virtual machine"], found["container"]) == ("yes", "docker")
    assert (found["processor"], found["computer"]) == ("A Processor", "QEMU Standard PC")
    assert machine(a_tree(tmp_path, {"proc/cpuinfo": "flags : fpu\n"}))["virtual machine"] == "none"


def test_machine_without_any_file_is_unknown(tmp_path: Path) -> None:
    found = machine(tmp_path)
    assert found["memory, GiB"] is None
    assert found["CPU governor"] is None


def test_driver_and_latency_timer_are_read_from_the_kernel(tmp_path: Path) -> None:
    a_tree(tmp_path, {"class/tty/ttyUSB7/device/latency_timer": "16\n", "drivers/ftdi_sio/x": ""})
    (tmp_path / "class/tty/ttyUSB7/device/driver").symlink_to(tmp_path / "drivers/ftdi_sio")
    found = serial_adapter("/dev/ttyUSB7", ttys=tmp_path / "class/tty")
    assert found["latency timer, ms"] == 16.0
    assert found["serial driver"] == "ftdi_sio"


def test_invalid_latency_timer_is_unknown(tmp_path: Path) -> None:
    a_tree(tmp_path, {"ttyUSB7/device/latency_timer": "soon\n"})
    assert serial_adapter("/dev/ttyUSB7", ttys=tmp_path)["latency timer, ms"] is None


def git(root: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    command = ["git", "-C", str(root), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE_S).stdout.strip()


def test_commit_of_a_checkout_states_whether_files_differ(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-qm", "m")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert commit(tmp_path) == head
    (tmp_path / "a").write_text("2")
    assert commit(tmp_path) == f"{head} with changes"


def test_unreadable_checkout_has_no_commit(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert commit(tmp_path) is None


def test_outside_of_a_checkout_the_commit_is_that_of_pip_if_any(tmp_path: Path) -> None:
    assert commit(tmp_path) is None
