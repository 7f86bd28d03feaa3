from __future__ import annotations

import os
from pathlib import Path

import pytest

from models.factory import factory_model_bytes
from models.registry import Registry
from service.doctor.finding import Verdict
from service.doctor.machine import check_data_folder, check_model, check_ports
from service.sources.port_discovery import BlasterPort
from stinger.paths import registry_dir


def test_without_a_blaster_the_other_ports_are_named() -> None:
    (finding,) = check_ports([], [("/dev/ttyS0", "n/a"), ("/dev/ttyS1", "n/a")])
    assert finding.verdict is Verdict.NOTE
    assert "(/dev/ttyS0, /dev/ttyS1)" in finding.found


def test_port_that_can_be_opened_is_good(tmp_path: Path) -> None:
    port = tmp_path / "port"
    port.touch()
    (finding,) = check_ports([BlasterPort(str(port), "E66")], [])
    assert (finding.verdict, finding.found) == (Verdict.GOOD, f"{port} (serial number E66)")


def test_port_without_permission_is_a_problem_with_the_command_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may open everything
    (finding,) = check_ports([BlasterPort("/dev/ttyACM0", "")], [])
    assert finding.verdict is Verdict.PROBLEM
    assert "permission denied" in finding.found
    assert "dialout" in finding.remedy


def test_data_folder_that_does_not_exist_yet_is_good(tmp_path: Path) -> None:
    finding = check_data_folder(tmp_path / "not" / "yet")
    assert finding.verdict is Verdict.GOOD
    assert "made when it is first needed" in finding.found
    assert not (tmp_path / "not").exists()


def test_file_in_place_of_the_data_folder_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    assert check_data_folder(tmp_path / "data").verdict is Verdict.PROBLEM


def test_factory_model_is_a_note(tmp_path: Path) -> None:
    assert check_model(tmp_path).verdict is Verdict.NOTE


def test_damaged_champion_is_a_problem(tmp_path: Path) -> None:
    registry = Registry(registry_dir(tmp_path))
    version = registry.add("model", factory_model_bytes(), {})
    registry.promote(version.id, why="test")
    assert check_model(tmp_path).verdict is Verdict.GOOD
    version.model_path.write_bytes(b"damaged")
    finding = check_model(tmp_path)
    assert finding.verdict is Verdict.PROBLEM
    assert "stinger models" in finding.remedy
