from __future__ import annotations

import os
from pathlib import Path

import pytest

from models.factory import factory_model_bytes
from models.registry import Registry
from models.shared_registry import open_registry
from service.doctor.finding import Verdict
from service.doctor.machine import check_data_folder, check_model, check_ports, check_shared_recordings
from service.sources.port_discovery import BlasterPort
from stinger.paths import registry_dir
from stinger.storage_url import parse_storage_url


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


def test_shared_recordings_are_counted_and_what_keeps_them_from_being_listed_is_a_problem(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    (tmp_path / "hall").mkdir()
    found = check_shared_recordings(parse_storage_url((tmp_path / "hall").as_uri()))
    assert (found.verdict, "0 recordings" in found.found) == (Verdict.GOOD, True)
    unknown = check_shared_recordings(parse_storage_url("nothing-knows-this://hall"))
    assert (unknown.verdict, "nothing-knows-this://hall" in unknown.found) == (Verdict.PROBLEM, True)


def test_the_model_is_that_of_a_shared_registry_if_one_is_configured(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    (tmp_path / "models").mkdir()
    url = parse_storage_url((tmp_path / "models").as_uri())
    finding = check_model(tmp_path / "data", url)
    assert finding.verdict is Verdict.NOTE
    registry = open_registry(tmp_path / "data", url)
    registry.promote(registry.add("hall", factory_model_bytes(), {}).id, why="test")
    finding = check_model(tmp_path / "data", url)
    assert (finding.verdict, "hall" in finding.found, url.text in finding.found) == (Verdict.GOOD, True, True)
    assert Registry(registry_dir(tmp_path / "data")).champion() is None
