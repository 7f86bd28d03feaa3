from __future__ import annotations

import os
from pathlib import Path

import pytest

from service.base.link_errors import LinkLostError
from service.round_trip.blaster_address import BlasterAddress, resolve_address
from service.sources.port_discovery import BlasterPort
from service.sources.port_opening import explain_opening
from stinger.errors import InputError

ONE = BlasterPort("/dev/ttyACM0", "E660")
OTHER = BlasterPort("/dev/ttyACM1", "")


@pytest.mark.parametrize(
    ("port", "address"),
    [
        ("/dev/ttyACM0", BlasterAddress(path="/dev/ttyACM0")),
        ("COM3", BlasterAddress(path="COM3")),
        (r"\\.\COM12", BlasterAddress(path=r"\\.\COM12")),
        ("serial:///dev/ttyACM0", BlasterAddress(path="/dev/ttyACM0")),
        ("serial://COM3", BlasterAddress(path="COM3")),
        ("/dev/serial/by-id/usb-Pico_E6:60-if00", BlasterAddress(path="/dev/serial/by-id/usb-Pico_E6:60-if00")),
        ("tcp://blaster-7.local:5000", BlasterAddress(tcp=("blaster-7.local", 5000))),
        ("TCP://[::1]:5000", BlasterAddress(tcp=("::1", 5000))),
    ],
)
def test_port_is_a_path_a_name_or_a_tcp_address(port: str, address: BlasterAddress) -> None:
    assert resolve_address(port) == address


@pytest.mark.parametrize("port", [None, "auto", "serial://auto"])
def test_only_blaster_is_found(port: str | None) -> None:
    assert resolve_address(port, find=lambda: [ONE]) == BlasterAddress(path="/dev/ttyACM0", found=True)


def test_several_blasters_are_an_error_that_lists_them() -> None:
    with pytest.raises(InputError) as raised:
        resolve_address(None, find=lambda: [ONE, OTHER])
    assert str(raised.value).startswith("2 blasters are plugged in: name one of them with --port: /dev/ttyACM0 ")
    assert "/dev/ttyACM1 (serial number unknown)" in str(raised.value)


def test_without_a_blaster_the_error_lists_other_ports() -> None:
    with pytest.raises(InputError, match=r"no blaster is plugged in .* are /dev/ttyUSB0 \(CP2102\), COM1$"):
        resolve_address(None, find=list, others=lambda: [("/dev/ttyUSB0", "CP2102"), ("COM1", "n/a")])
    with pytest.raises(InputError, match=r"and 12 more$"):
        resolve_address(None, find=list, others=lambda: [(f"COM{i}", "") for i in range(20)])
    with pytest.raises(InputError, match=r"this machine has no serial port$"):
        resolve_address(None, find=list, others=list)


@pytest.mark.parametrize(
    "port",
    [
        "",
        "tcp://host",
        "tcp://host:0",
        "tcp:",
        "http://host:80",
        "serial://",
        "serial:/dev/a",
        "serial:///dev/a?baud=1",
    ],
)
def test_invalid_port_is_one_line(port: str) -> None:
    with pytest.raises(InputError, match=r"^--port [^\n]*$") as raised:
        resolve_address(port)
    assert port in str(raised.value)


def test_password_in_an_invalid_port_is_not_repeated() -> None:
    with pytest.raises(InputError, match=r"^--port tcp:\.\.\.@host:1: a socket takes no user and password") as raised:
        resolve_address("tcp://me:sesame@host:1")
    assert "sesame" not in str(raised.value)


def test_missing_port_and_other_files_are_errors_when_opened(tmp_path: Path) -> None:
    with pytest.raises(LinkLostError, match="gone: no such port: unplugged"):
        BlasterAddress(path=str(tmp_path / "gone")).open()
    with pytest.raises(LinkLostError, match="null: not a serial port"):
        BlasterAddress(path=os.devnull).open()


def test_messages_of_windows_get_the_same_hints() -> None:
    denied = OSError("could not open port 'COM3': PermissionError(13, 'Access is denied.', None, 5)")
    missing = OSError("could not open port 'COM9': FileNotFoundError(2, 'The system cannot find ...', None, 2)")
    assert "in use by another program" in explain_opening(denied)
    assert "unplugged" in explain_opening(missing)
