"""What a run was made on."""

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
from hil.report.serial_adapter import adapter


def test_it_tells_of_program_machine_and_clock_and_fits_a_record() -> None:
    found = environment(model="factory")
    assert found["model"] == "factory"
    assert found["cores"] == os.cpu_count()
    assert found["Python"] == f"{platform.python_implementation()} {platform.python_version()}"
    assert found["numpy"] is not None
    assert isinstance(found["clock resolution, ns"], float)
    record = RunRecord("2026-01-01T00:00:00Z", 1.0, Verdict.PASS, found)
    assert RunRecord.from_json(record.to_json(), name="r").environment == found


def test_it_names_neither_the_host_nor_the_user() -> None:
    told = " ".join(str(value) for value in environment().values())
    assert platform.node() not in told.split()
    assert str(Path.home()) not in told


def test_without_a_port_it_speaks_of_no_adapter() -> None:
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


@pytest.mark.skipif(platform.system() != "Linux", reason="these are Linux's files")
def test_raspberry_pi_is_known_by_its_own_name(tmp_path: Path) -> None:
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


@pytest.mark.skipif(platform.system() != "Linux", reason="these are Linux's files")
def test_container_in_a_virtual_machine_is_told(tmp_path: Path) -> None:
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


def test_machine_without_any_file_is_unknown_and_no_error(tmp_path: Path) -> None:
    found = machine(tmp_path)
    assert found["memory, GiB"] is None
    assert found["CPU governor"] is None


def test_driver_and_latency_timer_are_read_where_the_kernel_tells_them(tmp_path: Path) -> None:
    a_tree(tmp_path, {"class/tty/ttyUSB7/device/latency_timer": "16\n", "drivers/ftdi_sio/x": ""})
    (tmp_path / "class/tty/ttyUSB7/device/driver").symlink_to(tmp_path / "drivers/ftdi_sio")
    found = adapter("/dev/ttyUSB7", ttys=tmp_path / "class/tty")
    assert found["latency timer, ms"] == 16.0
    assert found["serial driver"] == "ftdi_sio"


def test_latency_timer_that_is_no_number_is_unknown(tmp_path: Path) -> None:
    a_tree(tmp_path, {"ttyUSB7/device/latency_timer": "soon\n"})
    assert adapter("/dev/ttyUSB7", ttys=tmp_path)["latency timer, ms"] is None


def git(root: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    command = ["git", "-C", str(root), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.strip()


def test_commit_of_a_checkout_says_whether_files_differ_from_it(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-qm", "m")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert commit(tmp_path) == head
    (tmp_path / "a").write_text("2")
    assert commit(tmp_path) == f"{head} with changes"


def test_checkout_that_git_cannot_read_has_no_commit(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert commit(tmp_path) is None


def test_what_is_no_checkout_has_the_commit_that_pip_noted_if_any(tmp_path: Path) -> None:
    assert commit(tmp_path) is None
