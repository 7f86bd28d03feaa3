"""Numbers as Prometheus reads them: its text format 0.0.4.

Format: https://prometheus.io/docs/instrumenting/exposition_formats/. prometheus-client writes the same text, 30 times
slower where there are thousands of series, and lets nothing else run meanwhile; so only what it alone knows is left to it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: each row is what follows the name: ``{labels} value``, or `` value`` without labels."""

    name: str
    kind: str
    """``counter``, ``gauge`` or ``histogram``."""
    help: str
    rows: Iterable[str]


def label(name: str, value: str) -> str:
    """One label and its value, escaped."""
    value = value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return f'{name}="{value}"'


def expose(families: Iterable[Family]) -> bytes:
    """The text for ``families``; other threads run in between, so that an event loop need not wait for the whole."""
    parts = []
    for family in families:
        lines = [f"# HELP {family.name} {family.help}", f"# TYPE {family.name} {family.kind}"]
        lines += [f"{family.name}{row}" for row in family.rows]
        parts.append("\n".join(lines).encode())
        time.sleep(0)
    parts.append(b"")
    return b"\n".join(parts)


def histogram_rows(labels: str, bounds: tuple[float, ...], cumulative: list[int], total: float) -> list[str]:
    """The rows of one histogram: ``cumulative`` holds how many lie at or below each of ``bounds``, and how many there are.

    ``labels`` may be empty.
    """
    within, alone = (f"{labels},", f"{{{labels}}}") if labels else ("", "")
    rows = [
        f'_bucket{{{within}le="{bound}"}} {count}'
        for bound, count in zip((*map(str, bounds), "+Inf"), cumulative, strict=True)
    ]
    return [*rows, f"_sum{alone} {total}", f"_count{alone} {cumulative[-1]}"]
