"""The port of a device, which a host can find, open, close and open again."""

from __future__ import annotations

from typing import Protocol

from hil.emulated.host_connection import HostConnection


class PortListener(Protocol):
    """The device's side: called when something happens at the port."""

    def host_connected(self) -> None:
        """Called when a host has opened the port."""

    def host_disconnected(self) -> None:
        """Called when the host has closed the port, or the port was unplugged."""

    def data_received(self, data: bytes) -> None:
        """Called when the host has sent ``data``, at least one byte."""


class Port(Protocol):
    """A port has at most one host at a time. ``connection`` is ``None`` while there is no host."""

    connection: HostConnection | None

    @property
    def address(self) -> str:
        """Where a host finds the device: a path, or ``HOST:PORT``. Known after the first :meth:`plug_in`."""

    def plug_in(self, listener: PortListener) -> None:
        """Make the port appear, and call ``listener`` from then on. Raises :class:`~stinger.errors.InputError`."""

    def unplug(self) -> None:
        """Make the port disappear: a host loses its connection. It may be plugged in again."""

    def poll(self) -> None:
        """Check whether a host has connected; call it about 40 times a second while plugged in."""
