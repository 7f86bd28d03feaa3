"""``stinger hil report``, as a user types it."""

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


def test_every_report_of_a_kept_record(record: str, tmp_path: Path) -> None:
    html, junit = tmp_path / "run.html", tmp_path / "run.xml"
    result = report(record, "--html", str(html), "--junit", str(junit))
    assert result.exit_code == 0
    assert html.read_text(encoding="utf-8") == html_page(big_run())
    assert ET.parse(junit).getroot().tag == "testsuites"
    assert "The run failed" in result.output
    assert f"{html}: written" in result.output


def test_baseline_is_called_by_its_files_name(record: str, tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text(older_run().to_json(), encoding="utf-8")
    assert "Compared with old.json of 2026-02-01" in report(record, "--baseline", str(tmp_path / "old.json")).output


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"schema": 99}'])
def test_what_is_no_record_ends_in_one_line_and_writes_nothing(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_bytes(content)
    result = report(str(tmp_path / "bad.json"), "--html", str(tmp_path / "x.html"))
    assert result.exit_code == 2
    assert result.output.startswith(f"Error: {tmp_path / 'bad.json'}: ")
    assert result.output.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["bad.json"]


def test_file_that_is_not_there_ends_in_one_line(tmp_path: Path) -> None:
    result = report(str(tmp_path / "none.json"))
    assert result.exit_code == 2
    assert "No such file or directory" in result.output


def test_folder_that_is_not_there_is_said_before_anything_is_written(record: str, tmp_path: Path) -> None:
    result = report(record, "--junit", str(tmp_path / "run.xml"), "--html", str(tmp_path / "no" / "run.html"))
    assert result.exit_code == 2
    assert not (tmp_path / "run.xml").exists()


@pytest.mark.parametrize("name", COMMANDS)
def test_help_line_in_the_list_is_the_one_of_the_command_itself(name: str) -> None:
    module, _, attribute = COMMANDS[name][0].partition(":")
    command = getattr(import_module(module), attribute)
    assert command.name == name
    assert command.get_short_help_str(limit=200) == COMMANDS[name][1]
    assert COMMANDS[name][1] in invoke("hil", "--help").output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained(name: str) -> None:
    module, _, attribute = COMMANDS[name][0].partition(":")
    assert invoke("hil", name, "--help").exit_code == 0
    for parameter in getattr(import_module(module), attribute).params:
        if parameter.param_type_name == "option":
            assert parameter.help, parameter.name
