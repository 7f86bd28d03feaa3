from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.decision_parameters import DecisionParameters
from replay.evaluation.dynamic_mode import evaluate_dynamic
from replay.evaluation.evaluate import average_precision
from replay.evaluation.report import DataFile, EvaluationReport, caveats, to_json, to_markdown, to_text
from replay.evaluation.sweep import sweep, thresholds
from replay.evaluation.sweep_picture import draw_sweep
from replay.evaluation.uncertainty import uncertainty_of
from tests.replay.evaluation.test_evaluate import SUDDEN, pulses, trace_of


def report_of(*stretches: tuple[int, int], minutes: float = 1, shots: int = 3) -> EvaluationReport:
    length = int(minutes * 6000)
    edges = np.linspace(0, length, shots + 2)[1:-1].astype(int).tolist()
    trace = trace_of(pulses(length, *stretches), shots=edges)
    rows = sweep([trace], SUDDEN, thresholds(18), min_lead_ms=100)
    (operating,) = (row for row in rows if row.parameters.on == 0.5)
    return EvaluationReport(
        subject="logreg:summary",
        method="by hand",
        data=(DataFile("folder/log.bin", "abcdef0123456789", minutes, 1, shots, shots),),
        operating=operating,
        average_precision=average_precision([trace]),
        rows=rows,
    )


def test_report_names_its_data_and_gives_every_number() -> None:
    text = "\n".join(to_text(report_of((1450, 1550), (2000, 2100)), with_sweep=True))
    for part in (
        "log.bin (sha256 abcdef012345): 1.00 min, 3 accepted shots of 3 trigger edges",
        "1 of 3, 33 % (6 to 79 %) of the accepted ones",
        "2: 1 with a shot (0 further shots in them), 0 repeats, 1 false (0 of them early)",
        "1 in 1.00 min, 1.00 a minute (0.03 to 5.57), in total",
        "500 ms (500 to 500), p5 500, p95 500, over 1 shot",
        "wheels on 3 % of the time",
        "average precision",
        "false/min",
    ):
        assert part in text


def test_few_data_are_reported_as_few() -> None:
    assert "little data: 3 accepted shots in 1.0 minutes" in caveats(report_of((1450, 1550)))[0]
    assert caveats(report_of((1450, 1550)))[0].endswith("Record at least 100 shots and 30 minutes.")
    assert caveats(report_of((2000, 2100), minutes=20, shots=120))[0].endswith("Record at least 30 minutes.")
    assert not any("little data" in line for line in caveats(report_of((2000, 2100), minutes=40, shots=120)))


def test_report_without_false_spin_ups_gives_a_bound_of_their_rate() -> None:
    assert any("3 in 1.00 minutes, 3 a minute" in line for line in caveats(report_of((1450, 1550))))
    assert not any("3 in" in line for line in caveats(report_of((1450, 1550), (2000, 2100))))


def test_report_notes_that_wheels_on_most_of_the_time_prove_nothing() -> None:
    assert any("a random moment" in line for line in caveats(report_of((0, 5000))))
    assert not any("a random moment" in line for line in caveats(report_of((0, 1000))))


def test_json_is_strict_and_holds_the_sweep() -> None:
    report = report_of((1450, 1550))
    nothing = replace(report.operating.false, value=float("nan"), high=float("inf"))
    report = replace(report, operating=replace(report.operating, false=nothing))
    values = json.loads(json.dumps(to_json(report), allow_nan=False))
    assert values["operating"]["false"]["value"] is None
    assert values["operating"]["false"]["high"] is None
    assert len(values["rows"]) == 19
    assert values["data"][0]["sha256"] == "abcdef0123456789"
    assert values["definitions"]["early_ms"] == 500


def test_markdown_holds_the_table_and_the_picture() -> None:
    page = to_markdown(report_of((1450, 1550)), picture="sweep.png")
    assert page.startswith("# Evaluation of logreg:summary\n")
    assert "](sweep.png)" in page
    assert "| 0.50 | 1/3 |" in page


@pytest.mark.parametrize("stretches", [((1450, 1550), (2000, 2100)), ()])
def test_picture_is_drawn_also_where_nothing_happened(tmp_path: Path, stretches: tuple[tuple[int, int], ...]) -> None:
    report = report_of(*stretches)
    draw_sweep(report.rows, report.operating, tmp_path / "sweep.png", title="made up", dpi=60)
    with Image.open(tmp_path / "sweep.png") as image:
        pixels = np.asarray(image.convert("RGB"))
    assert (pixels == (0xE6, 0x9F, 0x00)).all(axis=2).any()  # the operating point's orange


def test_picture_of_a_log_without_shots_is_drawn_too(tmp_path: Path) -> None:
    rows = sweep([trace_of(pulses(600))], DecisionParameters(), thresholds(18), min_lead_ms=100)
    draw_sweep(rows, rows[9], tmp_path / "sweep.png", title="no shot", dpi=40)
    assert (tmp_path / "sweep.png").stat().st_size > 0


def test_a_picture_of_a_sweep_takes_a_title_with_any_file_name(tmp_path: Path) -> None:
    rows = report_of((1450, 1550)).rows
    draw_sweep(rows, rows[0], tmp_path / "sweep.png", title=r"on log$\x$.bin", dpi=40)
    assert (tmp_path / "sweep.png").stat().st_size > 0


def test_mode_dynamic_and_further_intervals_are_in_text_json_and_page() -> None:
    stretches = [(start, start + 100) for start in range(1000, 11_000, 1000)]
    edges = [start + 50 for start, _ in stretches]
    trace = trace_of(pulses(12_000, *stretches), shots=edges)
    rows = sweep([trace], SUDDEN, thresholds(18), min_lead_ms=100)
    (operating,) = (row for row in rows if row.parameters.on == 0.5)
    precision = average_precision([trace])
    report = replace(
        report_of((1450, 1550)),
        operating=operating,
        average_precision=precision,
        dynamic=evaluate_dynamic([trace], SUDDEN),
        uncertainty=uncertainty_of([trace], SUDDEN, precision, min_lead_ms=100),
    )
    text, page = "\n".join(to_text(report, with_sweep=False)), to_markdown(report, picture="sweep.png")
    for part in (
        "wheel speed at the shot 100 % of 5000 rpm (p5 100, p50 100, p95 100 %)",
        "10 of 10, 100 % (72 to 100 %) of the accepted shots at 90 % speed in time; ",
        "a minute by chance: with shots at random moments",
        "wheels on 8 % (",
        f"average precision {report.average_precision.value:.3f} (" if report.average_precision else "",
    ):
        assert part in text
        assert part in page
    values = to_json(report)
    assert values["dynamic"]["in_time"]["count"] == 10
    assert values["uncertainty"]["duty"]["low"] < values["operating"]["duty"] < values["uncertainty"]["duty"]["high"]
