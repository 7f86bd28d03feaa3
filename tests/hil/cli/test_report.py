"""``stinger hil report`` on the command line."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import Result

from hil.cli.hil import COMMANDS
from hil.report.html import html_page
from tests.helpers.cli import invoke
from tests.hil.report.runs import big_run, older_run


@pytest.fixture
def record(tmp_path: Path) -> str:
    path = tmp_path / "run.json"
    path.write_text(big_run().to_json(), encoding="utf-8")
    return str(path)


def report(*arguments: str) -> Result:
    return invoke("hil", "report", *arguments)


def test_every_report_is_made_from_a_record(record: str, tmp_path: Path) -> None:
    html, junit = tmp_path / "run.html", tmp_path / "run.xml"
    result = report(record, "--html", str(html), "--junit", str(junit))
    assert result.exit_code == 0
    assert html.read_text(encoding="utf-8") == html_page(big_run())
    assert ET.parse(junit).getroot().tag == "testsuites"
    assert "The run failed" in result.output
    assert f"{html}: written" in result.output


def test_baseline_has_the_name_of_its_file(record: str, tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text(older_run().to_json(), encoding="utf-8")
    assert "Compared with old.json of 2026-02-01" in report(record, "--baseline", str(tmp_path / "old.json")).output


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"schema": 99}'])
def test_invalid_record_is_reported_in_one_line_and_nothing_is_written(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_bytes(content)
    result = report(str(tmp_path / "bad.json"), "--html", str(tmp_path / "x.html"))
    assert result.exit_code == 2
    assert result.output.startswith(f"Error: {tmp_path / 'bad.json'}: ")
    assert result.output.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["bad.json"]


def test_missing_file_is_reported(tmp_path: Path) -> None:
    result = report(str(tmp_path / "none.json"))
    assert result.exit_code == 2
    assert "No such file or directory" in result.output


def test_missing_folder_is_reported_before_anything_is_written(record: str, tmp_path: Path) -> None:
    result = report(record, "--junit", str(tmp_path / "run.xml"), "--html", str(tmp_path / "no" / "run.html"))
    assert result.exit_code == 2
    assert not (tmp_path / "run.xml").exists()


@pytest.mark.parametrize("name", COMMANDS)
def test_help_line_of_the_group_is_that_of_the_command(name: str) -> None:
    module, _, attribute = COMMANDS[name][0].partition(":")
    command = getattr(import_module(module), attribute)
    assert command.name == name
    assert command.get_short_help_str(limit=200) == COMMANDS[name][1]
    assert COMMANDS[name][1] in invoke("hil", "--help").output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_help(name: str) -> None:
    module, _, attribute = COMMANDS[name][0].partition(":")
    assert invoke("hil", name, "--help").exit_code == 0
    for parameter in getattr(import_module(module), attribute).params:
        if parameter.param_type_name == "option":
            assert parameter.help, parameter.name
