"""Device names: what is accepted, and the folder of a device's recordings."""

from __future__ import annotations

import re
from pathlib import PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stinger.device_name import (
    MAX_DEVICE_NAME_CHARS,
    DeviceName,
    device_of_folder,
    folder_of_device,
    make_device_name,
    parse_device_name,
)
from stinger.errors import InputError
from tests.helpers.device_names import NAMES_TO_ACCEPT, NAMES_TO_REFUSE, device_names


@pytest.mark.parametrize("name", NAMES_TO_ACCEPT)
def test_a_name_of_letters_digits_underscores_and_hyphens_is_accepted(name: str) -> None:
    assert parse_device_name(name) == name


@pytest.mark.parametrize("text", NAMES_TO_REFUSE)
def test_another_name_is_refused_in_one_line_with_one_that_would_be_accepted(text: str) -> None:
    with pytest.raises(
        InputError, match=r"^device name .*: expected 1 to 64 letters, digits, _ or -, but not daemon"
    ) as raised:
        parse_device_name(text)
    assert "\n" not in str(raised.value)
    suggested = re.search(r"such as (\S+)$", str(raised.value))
    assert suggested is not None
    assert parse_device_name(suggested[1]) == suggested[1]


@given(st.text())
def test_any_text_is_a_device_name_or_an_input_error(text: str) -> None:
    try:
        name = parse_device_name(text)
    except InputError as error:
        refusal = str(error)
        assert len(refusal) < 300
    else:
        assert name == text


@given(st.text())
def test_any_text_can_be_made_a_device_name(text: str) -> None:
    name = make_device_name(text)
    assert parse_device_name(name) == name
    assert make_device_name(name) == name or name[0] == "-" or name[-1] == "-"


@given(device_names)
def test_a_folder_name_leads_back_to_its_device(device: DeviceName) -> None:
    assert device_of_folder(folder_of_device(device)) == device


@given(device_names, device_names)
def test_two_devices_share_no_folder_unless_their_names_only_differ_in_case(one: DeviceName, other: DeviceName) -> None:
    first, second = folder_of_device(one), folder_of_device(other)
    assert (first == second) == (one == other)
    assert (first.casefold() == second.casefold()) == (one.casefold() == other.casefold())


@given(device_names)
def test_windows_can_create_the_folder_of_every_device(device: DeviceName) -> None:
    folder = folder_of_device(device)
    assert not PureWindowsPath(folder).is_reserved()
    assert re.fullmatch(r"[A-Za-z0-9_=-]+", folder)
    assert len(folder) <= MAX_DEVICE_NAME_CHARS + 1


@given(st.text())
def test_another_folder_belongs_to_no_device(text: str) -> None:
    device = device_of_folder(text)
    assert device is None or folder_of_device(device) == text


@pytest.mark.parametrize("device", ["_a", "-a", "left", "ttyACM0", "usb-Raspberry_Pi_Pico_E6-60-if00"])
def test_the_folder_of_most_devices_is_their_name(device: str) -> None:
    assert folder_of_device(parse_device_name(device)) == device
