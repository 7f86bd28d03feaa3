"""The name of a device.

It is one level of MQTT topics, the folder of the device's recordings, and part of an identifier in Home Assistant. A
:data:`DeviceName` is made by :func:`parse_device_name` where text enters (a source URL, a topic, an option) or by
:func:`make_device_name`. Code that receives one does not check it again.
"""

from __future__ import annotations

import re
from typing import Final, NewType

from stinger.errors import InputError

DeviceName = NewType("DeviceName", str)
"""1 to 64 ASCII letters, digits, ``_`` or ``-``, other than ``daemon``."""

MAX_DEVICE_NAME_CHARS: Final = 64
DAEMON: Final = "daemon"
"""The daemon itself, in topics at the place of a device's name. No device has this name."""

_ESCAPE: Final = "="
"""Appended to a name that Windows reserves, to make the folder's name. No device name contains it."""
_NAME: Final = re.compile(rf"(?!{DAEMON}\Z)[A-Za-z0-9_-]{{1,{MAX_DEVICE_NAME_CHARS}}}")
# Windows opens these as a device instead of a file or folder, in upper and lower case, in every folder.
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
_RESERVED_ON_WINDOWS: Final = re.compile(r"con|prn|aux|nul|(com|lpt)[0-9]", re.IGNORECASE)


def parse_device_name(text: str) -> DeviceName:
    """Return ``text`` as a device name.

    Raises :class:`InputError` for a text that is not one, with a similar name that would be accepted.

    >>> parse_device_name("COM3")
    'COM3'
    """
    if not _NAME.fullmatch(text):
        raise InputError(
            f"device name {text!r:.80}: expected 1 to {MAX_DEVICE_NAME_CHARS} letters, digits, _ or -, "
            f"but not {DAEMON}, such as {make_device_name(text)}"
        )
    return DeviceName(text)


def make_device_name(text: str) -> DeviceName:
    """Return a device name made of ``text``: each run of other characters becomes one ``-``, and the end is cut off.

    >>> make_device_name("/dev/serial/by-id/usb-Pico_E6:60.38")
    'dev-serial-by-id-usb-Pico_E6-60-38'
    """
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")[:MAX_DEVICE_NAME_CHARS] or "device"
    return DeviceName(name if _NAME.fullmatch(name) else f"{name}-1")


def folder_of_device(device: DeviceName) -> str:
    """Return the name of the folder for the recordings of ``device``, which every supported system can create.

    It is the device's name; a name that Windows reserves, such as ``COM3`` or ``nul``, gets a ``=`` at its end, on
    every system, so that a data folder can be moved between systems. Different devices have different folder names.
    Where the file system ignores case, names that only differ in case lead to the same folder: the recordings in it
    still are separate files, and the sidecar of each one names its device.

    >>> folder_of_device(DeviceName("left")), folder_of_device(DeviceName("COM3"))
    ('left', 'COM3=')
    """
    return device + _ESCAPE if _RESERVED_ON_WINDOWS.fullmatch(device) else device


def device_of_folder(folder: str) -> DeviceName | None:
    """Return the device whose recordings are in the folder of this name, or None if no device has such a folder.

    >>> device_of_folder("COM3="), device_of_folder("left="), device_of_folder("left")
    ('COM3', None, 'left')
    """
    name = folder.removesuffix(_ESCAPE)
    if not _NAME.fullmatch(name) or folder_of_device(DeviceName(name)) != folder:
        return None
    return DeviceName(name)
