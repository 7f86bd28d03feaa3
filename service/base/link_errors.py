"""What every link to a device shares, however it is read: its end is an error with a reason for a person."""

from __future__ import annotations

import os

from stinger.errors import StingerError


class LinkLostError(StingerError):
    """The link has ended or could not be opened; the text is the reason, for a person."""


def reason_of(error: Exception) -> str:
    """Why a link failed, in the system's words if it has any."""
    number = error.errno if isinstance(error, OSError) else None
    text = os.strerror(number) if number is not None and number > 0 else str(error)
    return " ".join(text.split()) or type(error).__name__
