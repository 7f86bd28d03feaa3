"""The error that every kind of link to a device raises when it ends, with a reason that a person can read."""

from __future__ import annotations

import os
import socket
import ssl

from stinger.errors import StingerError


class LinkLostError(StingerError):
    """The link has ended or could not be opened; the text is the reason, for a person."""


def reason_of(error: Exception) -> str:
    """Return why a link failed, in the operating system's words if there are any."""
    # A TLS error has a number that is not the operating system's, so its own text is the reason.
    number = error.errno if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) else None
    text = _system_text(number) if number is not None and number > 0 else str(error)
    return " ".join(text.split()) or type(error).__name__


def _system_text(number: int) -> str:
    # On Windows, errors of sockets have numbers of their own, whose texts only this table has.
    texts: dict[int, str] = getattr(socket, "errorTab", {})
    return texts.get(number) or os.strerror(number)
