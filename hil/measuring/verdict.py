"""Derives a scenario's verdict from its measurements and from how busy the machine was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hil.limits import Verdict
from hil.measuring.definitions import MEASUREMENTS
from hil.record import Measurement

BUSY_HOST_MS: Final = 1.0
"""A machine that wakes a sleeping process later than this, one time in a hundred, is too busy to judge limits of time."""
STANDSTILL_MS: Final = 250.0
"""The daemon switches the wheels off after this long without a score. A process that was held up longer even once may
have missed limits of time that other measurements depend on, such as the one for the silence of a blaster."""
STARVED_SHARE: Final = 0.1
"""A daemon that waited for a processor for this part of a scenario may have been behind at its end."""
STARVED_P99_SHARE: Final = 0.01
"""And for this part of it, one sample or event in a hundred may have waited as well."""
EXCUSED_FACTOR: Final = 5
"""How many wake-up delays may add to a latency, per device.

A sample wakes four processes one after another on its way, and with several devices one sample waits for the others'.
"""

_P99: Final = "_p99_ms"
_UNIT_MS: Final = {"ms": 1.0, "s": 1000.0}


def verdict_of(
    measurements: Sequence[Measurement],
    host_late_p99_ms: float | None,
    *,
    longest_late_ms: float | None = None,
    daemon_waited_share: float = 0.0,
    devices: int = 1,
) -> tuple[Verdict, str]:
    """Return the worst verdict of all, and a reason where the measurements do not give it.

    The verdict is inconclusive if the machine woke processes late, and that explains all limits that were missed: those
    of time, by no more than the lateness with this number of ``devices``; after a standstill, of which
    ``longest_late_ms`` is the longest, also those that depend on time, as in a scenario in which the daemon waited long
    for a processor. Less of that excuses 99th percentiles.
    """
    missed = [each for each in measurements if each.verdict in (Verdict.FAIL, Verdict.UNSET)]
    late_ms = host_late_p99_ms or 0.0
    excused_ms = EXCUSED_FACTOR * late_ms * devices
    if missed and late_ms > BUSY_HOST_MS and all(_is_excused(each, excused_ms) for each in missed):
        return Verdict.INCONCLUSIVE, f"this machine woke sleeping processes {late_ms:.1f} ms late (99th percentile)"
    longest_ms = longest_late_ms or 0.0
    if missed and longest_ms > STANDSTILL_MS and all(_depends_on_time(each) for each in missed):
        return Verdict.INCONCLUSIVE, f"this machine stood still for up to {longest_ms:.0f} ms"
    if missed and all(_is_starved(each, daemon_waited_share) for each in missed):
        percent = f"{100 * daemon_waited_share:.0f} %"
        return Verdict.INCONCLUSIVE, f"the daemon waited for a processor of this machine for {percent} of the time"
    verdicts = [each.verdict for each in measurements if each.verdict is not None]
    return max(verdicts, key=lambda verdict: verdict.rank, default=Verdict.PASS), ""


def _depends_on_time(missed: Measurement) -> bool:
    definition = MEASUREMENTS[missed.name]
    return definition.timing or definition.time_dependent


def _is_starved(missed: Measurement, daemon_waited_share: float) -> bool:
    share = STARVED_P99_SHARE if missed.name.endswith(_P99) else STARVED_SHARE
    return daemon_waited_share > share and _depends_on_time(missed)


def _is_excused(missed: Measurement, excused_ms: float) -> bool:
    """Return whether a missed limit is one of time, missed by no more than ``excused_ms``."""
    if not MEASUREMENTS[missed.name].timing or missed.value is None or missed.limit is None:
        return False
    if missed.limit.at_most is None:
        return False
    unit_ms = _UNIT_MS.get(missed.unit)
    return unit_ms is None or (missed.value - missed.limit.at_most) * unit_ms <= excused_ms
