"""Words in which the pages describe a device."""

from __future__ import annotations

import time
from typing import Final

from service.web.daemon_state import UNKNOWN, DeviceState
from stinger.sample import SAMPLE_RATE_HZ
from stinger.wording import counted

_LINKS: Final = {
    "streaming": "● streaming",
    "connecting": "… connecting",
    "silent": "⚠ silent",
    "lost": "✕ lost",
    "ended": "○ ended",
    UNKNOWN: "? unknown: no messages of the daemon arrive",
}
_RATE_FACTOR: Final = 1.25
"""A rate that differs by more than this factor is an alarm; smaller differences come and go on a busy machine."""
_ALARMING: Final = {
    "silent": "sends nothing: is it switched on?",
    "lost": "not connected: plug it in again, or wait",
}


def link_text(state: DeviceState) -> str:
    """Return the state of the link, with its reason if it has one."""
    link = _LINKS.get(state.link, state.link or "-")
    return f"{link}: {state.link_reason}" if state.link_reason else link


def wheels_text(state: DeviceState) -> str:
    """Return whether the wheels are on."""
    if state.link == UNKNOWN:
        return "? unknown"
    return "● on" if state.wheels_on else "○ off"


def last_shot_text(state: DeviceState) -> str:
    """Return when the last shot was, whether the wheels were on in time, and for how long they were on."""
    shot = state.last_shot
    if shot is None:
        return "none yet"
    ago = time.monotonic() - state.last_shot_s
    when = f"{ago:.0f} s ago" if ago < 100 else f"{ago / 60:.0f} min ago"  # noqa: PLR2004 - seconds up to 99
    if shot.lead_ms is None:
        return f"✕ wheels off, {when}"
    return f"{'✓ in time' if shot.kind == 'in time' else '✕ too late'}, wheels on for {shot.lead_ms:.0f} ms, {when}"


def in_time_text(state: DeviceState) -> str:
    """Return how many shots were in time, and the false spin-ups."""
    return f"{state.in_time} of {state.shots} shots, {counted(state.false_spin_ups, 'false spin-up')}"


def quantity(value: float | None, unit: str, digits: int = 0) -> str:
    """Return a number with its unit, a dash without a number."""
    return "-" if value is None else f"{value:.{digits}f} {unit}"


def latency_text(state: DeviceState) -> str:
    """Return the latency from the arrival of a sample to its decision, as the daemon measured it over the last seconds."""
    p50, p99 = state.telemetry.number("latency_p50_ms"), state.telemetry.number("latency_p99_ms")
    return f"{quantity(p50, 'ms', 1)} median, {quantity(p99, 'ms', 1)} at 99\u00a0%"


def alarm_text(state: DeviceState) -> str:
    """Return what is wrong with a device, and what to do; empty if nothing is."""
    if state.link in _ALARMING:
        return _ALARMING[state.link]
    rate_hz = state.telemetry.number("rate_hz")
    if state.link != "streaming" or not rate_hz:
        return ""
    factor = max(rate_hz / SAMPLE_RATE_HZ, SAMPLE_RATE_HZ / rate_hz) if rate_hz > 0 else 1.0
    return f"sends {rate_hz:.0f} samples a second; models take {SAMPLE_RATE_HZ}" if factor > _RATE_FACTOR else ""
