"""The files for systemd and udev: valid, restrictive, and consistent with the program."""

from __future__ import annotations

import re
import shlex
from configparser import RawConfigParser
from pathlib import Path
from typing import Final

import click
import pytest

from service.config.loading import load_config
from service.recording.retention import limits_of
from service.sources.port_discovery import USB_VENDOR
from stinger.cli import main
from tests.deploy.places import DEPLOY, is_command, program
from tests.helpers.cli import run_program

SYSTEMD: Final = DEPLOY / "systemd"
SERVICES: Final = ["stinger.service", "stinger-retrain.service", "stinger-web.service"]
UNITS: Final = [*SERVICES, "stinger-retrain.timer"]
MAX_EXPOSURE: Final = 2.0
"""Limit of systemd's exposure level, which is 0 for fully confined and 10 for unconfined."""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units, with the program replaced by one that exists."""
    for name in UNITS:
        text = (SYSTEMD / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("/opt/stinger/bin/stinger", "/bin/true"))
    return tmp_path


def setting(unit: str, name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", (SYSTEMD / unit).read_text(encoding="utf-8"), re.MULTILINE)


def test_systemd_verifies_the_units(installed: Path) -> None:
    verified = run_program(
        program("systemd-analyze", "Debian's systemd"), "verify", "--man=no", *(installed / name for name in UNITS)
    )
    about_ours = [line for line in (verified.stdout + verified.stderr).splitlines() if "stinger" in line]
    assert (verified.returncode, about_ours) == (0, [])


@pytest.mark.parametrize("name", SERVICES)
def test_service_is_confined(installed: Path, name: str) -> None:
    judged = run_program(
        program("systemd-analyze", "Debian's systemd"), "security", "--offline=true", "--no-pager", installed / name
    )
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", judged.stdout)
    assert found is not None, judged.stderr
    assert float(found[1]) <= MAX_EXPOSURE


@pytest.mark.parametrize("name", SERVICES)
def test_command_and_its_options_exist(name: str) -> None:
    (line,) = setting(name, "ExecStart")
    program_path, command_name, *arguments = shlex.split(line)
    assert program_path == "/opt/stinger/bin/stinger"
    assert is_command(command_name)
    command = main.get_command(click.Context(main), command_name)
    assert command is not None
    options = {flag for parameter in command.params for flag in parameter.opts}
    assert {argument for argument in arguments if argument.startswith("--")} <= options


@pytest.mark.parametrize("name", SERVICES)
def test_memory_and_processes_are_limited_and_files_are_private(name: str) -> None:
    assert setting(name, "MemoryMax")
    assert int(setting(name, "TasksMax")[0]) <= 512
    assert setting(name, "UMask") == ["0077"]
    assert setting(name, "StateDirectoryMode") == ["0700"]


def test_the_page_is_open_to_others_with_a_password_only() -> None:
    (line,) = setting("stinger-web.service", "ExecStart")
    arguments = shlex.split(line)
    password_file = arguments[arguments.index("--password-file") + 1]
    assert setting("stinger-web.service", "ConditionPathExists") == [password_file]
    assert arguments[arguments.index("--data-dir") + 1] == "/var/lib/stinger"


def test_watchdog_accepts_heartbeats_of_the_main_process_only() -> None:
    assert setting("stinger.service", "Type") == ["notify"]
    assert setting("stinger.service", "NotifyAccess") == ["main"]
    assert float(setting("stinger.service", "WatchdogSec")[0]) >= 10


@pytest.mark.parametrize("name", ["stinger.service", "stinger-web.service"])
def test_drivers_of_the_allowed_ports_are_loaded_first(name: str) -> None:
    allowed = {value.partition(" ")[0] for value in setting(name, "DeviceAllow")}
    assert allowed == {"char-ttyACM", "char-ttyUSB"}
    for relation in ("Wants", "After"):
        units = " ".join(setting(name, relation)).split()
        assert {"modprobe@cdc_acm.service", "modprobe@usbserial.service"} <= set(units)


def test_all_services_use_the_same_data_folder() -> None:
    config = load_config(SYSTEMD / "stinger.toml", {}, {})
    assert config.data_dir == Path("/var/lib/stinger")
    for name in SERVICES:
        assert setting(name, "StateDirectory") == ["stinger"]
        assert setting(name, "User") == ["stinger"]


def test_configuration_is_valid_and_limits_recordings() -> None:
    config = load_config(SYSTEMD / "stinger.toml", {}, {})
    limits = limits_of(config.recorder)
    assert (limits.keep_s, limits.keep_bytes, limits.keep_trained) == (90 * 86_400, 10**10, True)
    assert tuple(map(str, config.sources)) == ("serial://auto",)


def test_journal_has_a_limit() -> None:
    parser = RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keeps the letters' case
    parser.read(SYSTEMD / "journald.conf", encoding="utf-8")
    assert parser["Journal"]["SystemMaxUse"] == "200M"


def udev_rule() -> str:
    lines = (DEPLOY / "udev" / "70-stinger.rules").read_text(encoding="utf-8").splitlines()
    (rule,) = [line for line in lines if line and not line.startswith("#")]
    return rule


def test_udev_rule_uses_known_keys() -> None:
    parts = re.split(r", (?=[A-Z])", udev_rule())
    shapes = r'(ACTION|SUBSYSTEM|GROUP|MODE|SYMLINK|ENV\{[A-Z_]+\})(==|!=|=|\+=)"[^"]*"'
    assert [part for part in parts if not re.fullmatch(shapes, part)] == []


def test_udev_verifies_the_rule() -> None:
    udevadm = program("udevadm", "Debian's udev")
    if run_program(udevadm, "verify", "--help").returncode:
        pytest.skip("this udev cannot verify rules: it is older than 254")
    verified = run_program(udevadm, "verify", DEPLOY / "udev" / "70-stinger.rules")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_udev_rule_matches_the_vendor_that_the_daemon_searches() -> None:
    assert re.findall(r'ENV\{ID_VENDOR_ID\}=="(\w+)"', udev_rule()) == [f"{USB_VENDOR:04x}"]
