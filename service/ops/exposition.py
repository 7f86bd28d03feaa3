"""Writes metrics in Prometheus' text format 0.0.4.

Format: https://prometheus.io/docs/instrumenting/exposition_formats/. prometheus-client writes the same text, but takes
ten times as long for thousands of series, and other threads wait meanwhile (docs/decisions.md).
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from stinger.files import text_bytes

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Family:
    """A metric and its series.

    A row is the part of a line after the name: ``{labels} value``, or `` value`` without labels.
    """

    name: str
    kind: str
    """``counter``, ``gauge`` or ``histogram``."""
    help: str
    rows: Iterable[str]


def label(name: str, value: str) -> str:
    """Return ``name="value"`` with the value escaped."""
    value = value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return f'{name}="{value}"'


def expose(families: Iterable[Family]) -> bytes:
    """Return the text for ``families``.

    Other threads may run between two of them, so an event loop need not wait for all.
    """
    parts = []
    for family in families:
        lines = [f"# HELP {family.name} {family.help}", f"# TYPE {family.name} {family.kind}"]
        lines += [f"{family.name}{row}" for row in family.rows]
        parts.append(text_bytes("\n".join(lines)))
        time.sleep(0)
    parts.append(b"")
    return b"\n".join(parts)


def histogram_rows(labels: str, bounds: tuple[float, ...], cumulative: list[int], total: float) -> list[str]:
    """Return the rows of a histogram, with ``labels`` (may be empty) on each.

    ``cumulative`` holds the number of observations at or below each of ``bounds``, and in all; ``total`` is their sum.
    """
    in_bucket, alone = (f"{labels},", f"{{{labels}}}") if labels else ("", "")
    rows = [
        f'_bucket{{{in_bucket}le="{bound}"}} {count}'
        for bound, count in zip((*map(str, bounds), "+Inf"), cumulative, strict=True)
    ]
    return [*rows, f"_sum{alone} {total}", f"_count{alone} {cumulative[-1]}"]
