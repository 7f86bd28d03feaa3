"""Resolves the address of a blaster: the port that was named, or the only blaster that is plugged in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from service.config.source_url import SerialUrl, TcpUrl, parse_source_url
from service.round_trip.links import Link, SerialLink, TcpLink
from service.sources.port_discovery import BlasterPort, all_ports, find_blasters
from service.sources.port_opening import DEFAULT_BAUD
from stinger.errors import InputError
from stinger.wording import without_user

FORMS: Final = "a serial port such as /dev/ttyACM0 or COM3, or tcp://host:port"

_LISTED_MAX: Final = 8


@dataclass(frozen=True, slots=True)
class BlasterAddress:
    """The ``path`` of a serial port, or a ``tcp`` address (host, port). ``found``: it was searched for, not named."""

    path: str = ""
    tcp: tuple[str, int] | None = None
    found: bool = False

    def __str__(self) -> str:
        return self.path if self.tcp is None else f"tcp://{self.tcp[0]}:{self.tcp[1]}"

    def open(self, baud: int = DEFAULT_BAUD) -> Link:
        """Open a link to it. Raises :class:`~service.base.link_errors.LinkLostError`."""
        return SerialLink(self.path, baud) if self.tcp is None else TcpLink(*self.tcp)


def resolve_address(
    port: str | None,
    *,
    find: Callable[[], list[BlasterPort]] = find_blasters,
    others: Callable[[], list[tuple[str, str]]] = all_ports,
) -> BlasterAddress:
    """Return the address that ``port`` names.

    For ``None`` and ``auto``, it is the only port with the blaster's USB vendor id. ``port`` is the path or name of a
    serial port, ``tcp://host:port``, or a ``serial:`` URL as for ``stinger run``. Raises :class:`InputError` for
    anything else, and if no blaster or more than one is found: then with a list of ports.
    """
    if port is None or port.lower() == "auto":
        return BlasterAddress(path=_only_one(find(), others), found=True)
    shown = without_user(port)
    scheme, colon, rest = port.partition(":")
    if colon and scheme.lower() in {"serial", "tcp"}:
        if "?" in rest:
            raise InputError(f"--port {shown}: source options are not accepted here: use --baud instead")
        try:
            url = parse_source_url(port)
        except InputError as error:
            raise InputError(f"--port {shown}: {error}") from None
        if isinstance(url, TcpUrl):
            return BlasterAddress(tcp=(url.host, url.port))
        assert isinstance(url, SerialUrl)
        if url.path is None:
            return BlasterAddress(path=_only_one(find(), others), found=True)
        path = url.path
    else:
        path = "" if colon and rest.startswith("//") else port
    if not PurePath(path).name or ("@" in path and not path.startswith(("/", "\\"))):  # an @ is of a URL with a user
        raise InputError(f"--port {shown}: expected {FORMS}")
    return BlasterAddress(path=path)


def _only_one(blasters: list[BlasterPort], others: Callable[[], list[tuple[str, str]]]) -> str:
    if len(blasters) == 1:
        return blasters[0].path
    if blasters:
        listed = ", ".join(f"{port.path} (serial number {port.serial_number or 'unknown'})" for port in blasters)
        raise InputError(f"{len(blasters)} blasters are plugged in: name one of them with --port: {listed}")
    ports = [f"{path} ({text})" if text and text != "n/a" else path for path, text in others()]
    more = f" and {len(ports) - _LISTED_MAX} more" if len(ports) > _LISTED_MAX else ""
    listed = (
        f"the serial ports of this machine are {', '.join(ports[:_LISTED_MAX])}{more}"
        if ports
        else "this machine has no serial port"
    )
    raise InputError(
        f"no blaster is plugged in (no port has its USB vendor id, 2e8a): plug it in and switch it on, "
        f"or name its port with --port; {listed}"
    )
