"""Nanoseconds in longer units of time; the operating system's clocks and the times of samples count them."""

from __future__ import annotations

from typing import Final

NS_PER_S: Final = 1_000_000_000
NS_PER_MS: Final = 1_000_000
