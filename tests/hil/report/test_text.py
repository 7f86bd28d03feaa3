"""The report on a terminal and in a file."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from rich.console import Console
from rich.text import Text

from hil.limits import Limit, Verdict
from hil.record import Measurement
from hil.report.baseline import compare
from hil.report.text import plain_report, print_report
from tests.hil.report.runs import big_run, hall, older_run, run_of, scenario, with_values


def on_terminal(width: int) -> str:
    console = Console(
        file=io.StringIO(), force_terminal=True, color_system="standard", width=width, legacy_windows=False
    )
    print_report(big_run(), compare(older_run(), big_run(), name="old.json"), console=console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_each_scenario_is_a_line_with_its_verdict_and_limits_kept() -> None:
    lines = plain_report(big_run()).splitlines()
    assert lines[0].split() == ["verdict", "scenario", "limits", "duration", "title"]
    assert lines[1].split()[:3] == ["passed", "steady", "8/8"]
    assert len([line for line in lines if "s  The fault '" in line]) == 11


def test_bad_verdicts_come_worst_first() -> None:
    text = plain_report(big_run())
    order = ["duplicate failed", "hall failed", "drift unset", "jitter inconclusive", "stall marginal"]
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    assert "\n  events repeated: 4 events, limit missed: at most 0\n" in text
    assert "steady passed" not in text


def test_last_line_is_the_verdict() -> None:
    assert plain_report(big_run()).splitlines()[-1] == (
        "The run failed: of 14 scenarios, 2 failed, 1 unset, 1 inconclusive. Duration: 2 min 51 s."
    )


def test_long_list_of_reasons_is_cut_and_counted() -> None:
    many = hall(np.random.default_rng(1), devices=100, started_s=0)
    lost = [Measurement(each.name, each.unit, 1.0, each.limit) for each in many.measurements]
    assert "and 88 more" in plain_report(run_of([replace(many, measurements=lost)]))


def test_output_to_a_file_is_neither_coloured_nor_wrapped() -> None:
    console = Console(file=io.StringIO(), width=20)
    print_report(big_run(), console=console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "\x1b" not in text
    assert text == plain_report(big_run())


def test_output_to_a_terminal_is_coloured_and_fits_its_width() -> None:
    text = on_terminal(60)
    assert "\x1b[1;31mfailed" in text
    assert max(Text.from_ansi(line).cell_len for line in text.splitlines()) <= 60


def test_encoding_without_greek_letters_works() -> None:
    comparison = compare(older_run(), big_run(), name="old.json")
    text = plain_report(big_run(), comparison, encoding="ascii")
    assert text.isascii()
    assert "50 us" in text


def test_control_characters_in_a_record_are_not_printed() -> None:
    bad = scenario("a\x1b[2Jb\rc\nd", "t\x07", np.random.default_rng(1), started_s=0)
    text = plain_report(run_of([with_values(bad, Verdict.FAIL, "\x1b]0;title\x07", shots_lost=2)]))
    assert not {"\x1b", "\r", "\x07"} & set(text)
    assert "a [2Jb c d" in text


def test_brackets_are_not_markup() -> None:
    odd = replace(scenario("[red]x[/]", "[/nonsense]", np.random.default_rng(1), started_s=0), verdict=Verdict.FAIL)
    odd = replace(odd, measurements=[Measurement("[bold]m", "", 1.0, Limit(at_most=0))])
    text = plain_report(run_of([odd]))
    assert "[red]x[/]" in text
    assert "[bold]m: 1" in text


def test_comparison_names_what_changed() -> None:
    text = plain_report(big_run(), compare(older_run(), big_run(), name="old.json"))
    assert "Compared with old.json of 2026-02-01T18:00:00+00:00" in text
    assert "Worse: 4\n" in text
    assert "No longer measured: cosmic rays\n" in text
    assert "Nothing got worse" in plain_report(big_run(), compare(big_run(), big_run(), name="same.json"))
