"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """Whether something is as it should be; the value is the word that is shown."""

    GOOD = "ok"
    NOTE = "note"
    """Not wrong, but something that the user may want to know or to add."""
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report: what was looked at, what was found, and what to do about it, if anything."""

    verdict: Verdict
    subject: str
    found: str
    remedy: str = ""
