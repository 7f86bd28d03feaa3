"""``stinger info``."""

from __future__ import annotations

import json
from typing import Any

import click

from stinger.cli.options import ANY_PATH, every_option, json_option, min_shot_gap_option, rate_option
from stinger.cli.repairs import warn
from stinger.errors import FileError
from stinger.logs import LogFormat, read_log
from stinger.logs.marked import with_marks
from stinger.rate import rate_text
from stinger.summary import summarise
from stinger.wording import counted

_GAPS_SHOWN = 5


@click.command(short_help="Show what a recording contains.")
@click.argument("file", type=ANY_PATH)
@rate_option
@every_option
@min_shot_gap_option
@json_option
def info(file: str, rate_hz: float, every: int, min_shot_gap_ms: float, as_json: bool) -> None:
    """Show what the recording FILE contains: samples, duration, rate, gaps, shots and the range of each channel.

    Shots are counted as training counts them: without those that 'stinger recordings mark' leaves out.
    """
    log = read_log(file, rate_hz=rate_hz, every=every)
    try:
        log = with_marks(log)
    except FileError as error:
        warn(f"shots are counted without marks: {error}")
    summary = summarise(log, min_shot_gap_ms=min_shot_gap_ms)
    if as_json:
        click.echo(json.dumps(summary, indent=2))
        return
    click.echo(file)
    lines = [
        ("format", log.format.value),
        ("samples", f"{summary['samples']:,}"),
        ("duration", f"{summary['duration_s']:,.1f} s"),
        ("rate", ", ".join(dict.fromkeys(_rate(part) for part in summary["recordings"]))),
        *_rate_problems(summary),
        *_recordings(summary, "" if log.format is LogFormat.BUNDLE else ", one for each boot"),
        ("gaps", _gaps(summary)),
        ("shots", _shots(summary)),
        *(("marks", text) for text in log.marked_texts()),
        ("repairs", "; ".join(log.repairs.messages()) or "none needed"),
    ]
    for label, text in lines:
        click.echo(f"  {label:<11}{text}")
    click.echo(f"  {'channel':<11}{'lowest':>8}{'highest':>9}   (raw LSB)")
    for name, span in summary["channels"].items():
        click.echo(f"  {name:<11}{span['min']:>8}{span['max']:>9}")


def _rate(part: dict[str, Any]) -> str:
    return "unknown: time does not advance" if part["rate_hz"] is None else f"{rate_text(part['rate_hz'])} Hz"


def _rate_problems(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the line that states why models cannot use the recordings; none if they can."""
    problems = [part["rate_problem"] for part in summary["recordings"] if part["rate_problem"] is not None]
    if not problems:
        return []
    whole = len(problems) == len(summary["recordings"])
    which = "this" if whole else f"{len(problems)} of {counted(len(summary['recordings']), 'recording')}"
    return [("models", f"cannot use {which}: it has {'; '.join(dict.fromkeys(problems))}")]


def _recordings(summary: dict[str, Any], origin: str) -> list[tuple[str, str]]:
    parts = summary["recordings"]
    if len(parts) == 1:
        return []
    lengths = ", ".join(f"{part['duration_s']:.1f} s" for part in parts[:_GAPS_SHOWN])
    more = ", ..." if len(parts) > _GAPS_SHOWN else ""
    return [("recordings", f"{len(parts)}{origin}: {lengths}{more}")]


def _gaps(summary: dict[str, Any]) -> str:
    gaps = [gap for part in summary["recordings"] for gap in part["gaps"]]
    if not gaps:
        return "none"
    shown = ", ".join(f"{gap['length_ms'] / 1000:.2f} s after {gap['after_ms']} ms" for gap in gaps[:_GAPS_SHOWN])
    return f"{len(gaps):,}: {shown}{', ...' if len(gaps) > _GAPS_SHOWN else ''}"


def _shots(summary: dict[str, Any]) -> str:
    shots, marks = summary["shots"], summary["marks"]
    marked = (("edges_left_out", "left out"), ("edges_not_shots", "marked as no shot"))
    return (
        f"{shots['edges']:,} trigger edges: {shots['accepted']:,} accepted, {shots['rejected']:,} rejected "
        f"(less than {summary['min_shot_gap_ms']:g} ms after an accepted one)"
        + "".join(f", {marks[key]:,} {text}" for key, text in marked if marks[key])
    )
