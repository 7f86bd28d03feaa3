"""What a device is plugged into: the end of the wire that a host can find, open, close and open again."""

from __future__ import annotations

from typing import Protocol

from hil.emulated.host_connection import HostConnection


class PortListener(Protocol):
    """The device's end: told what happens at the port."""

    def host_connected(self) -> None:
        """A host opened the port."""

    def host_disconnected(self) -> None:
        """It closed it, or the port went."""

    def data_received_from_host(self, data: bytes) -> None:
        """It sent ``data``, at least one byte."""


class Port(Protocol):
    """A port has at most one host at a time. ``line`` is the link to it, ``None`` while there is none."""

    line: HostConnection | None

    @property
    def address(self) -> str:
        """Where a host finds the device: a path, or ``HOST:PORT``. Known once the port was plugged in."""

    def plug_in(self, plug: PortListener) -> None:
        """Appear. Raises :class:`~stinger.errors.InputError` if the system refuses."""

    def unplug(self) -> None:
        """Vanish: a host that is there loses its link, a new one finds nothing. May be plugged in again."""

    def watch(self) -> None:
        """Find out whether a host came; to be called some 40 times a second while plugged in."""
