"""Where the broker is: what is understood, what is refused, and that no password shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.config.broker_address import BrokerAddress, parse_broker
from stinger.errors import FileError, InputError

NOTHING: dict[str, str] = {}


@pytest.mark.parametrize(
    ("url", "expected", "shown"),
    [
        ("mqtt://host", BrokerAddress("host", 1883), "mqtt://host:1883"),
        ("mqtt://host:1999/", BrokerAddress("host", 1999), "mqtt://host:1999"),
        ("mqtt://anna@host", BrokerAddress("host", 1883, "anna"), "mqtt://anna@host:1883"),
        ("mqtt://[::1]:7", BrokerAddress("::1", 7), "mqtt://[::1]:7"),
        ("embedded", BrokerAddress("127.0.0.1", 1883, embedded=True), "embedded:1883"),
        ("embedded:0", BrokerAddress("127.0.0.1", 0, embedded=True), "embedded:0"),
    ],
)
def test_a_url_is_understood_and_shown(url: str, expected: BrokerAddress, shown: str) -> None:
    address = parse_broker(url, environment=NOTHING)
    assert address == expected
    assert str(address) == shown


def test_mqtts_means_tls_and_another_port() -> None:
    address = parse_broker("mqtts://host", environment=NOTHING)
    assert address.tls is not None
    assert address.tls.check_hostname
    assert str(address) == "mqtts://host:8883"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("host", "write mqtt://"),
        ("http://host", "write mqtt://"),
        ("mqtt://", "no host"),
        ("mqtt://host:0", "port '0'"),
        ("mqtt://host:66000", "port '66000'"),
        ("mqtt://host:x", "port 'x'"),
        ("mqtt://host/topic", "nothing may follow"),
        ("mqtt://[::1", "broker"),
        ("mqtt://a..b", "no host"),
        ("mqtt://a\0b", "no host"),
        ("embedded:x", "port 'x'"),
        ("embedded:-1", "port '-1'"),
    ],
)
def test_what_is_no_broker_is_refused_in_one_line(url: str, why: str) -> None:
    with pytest.raises(InputError, match=why) as caught:
        parse_broker(url, environment=NOTHING)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["mqtt://u:sesame@host", "mqtts://:sesame@h:1", "http://u:sesame@h", "mqtt://u:se:sesame@h:x"]
)
def test_a_password_in_the_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(InputError, match="STINGER_BROKER_PASSWORD") as caught:
        parse_broker(url, environment=NOTHING)
    assert "sesame" not in str(caught.value)


def test_a_password_comes_from_a_file_before_the_environment_and_never_shows(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("sesame\r\nrest\n")
    from_file = parse_broker("mqtt://u@h", password_file=path, environment={"STINGER_BROKER_PASSWORD": "other"})
    assert from_file.password == "sesame"
    assert parse_broker("mqtt://u@h", environment={"STINGER_BROKER_PASSWORD": "other"}).password == "other"
    assert "sesame" not in f"{from_file} {from_file!r}"


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    empty, binary = tmp_path / "empty", tmp_path / "binary"
    empty.touch()
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(FileError, match="empty: line 1: holds no password"):
        parse_broker("mqtt://u@h", password_file=empty, environment=NOTHING)
    with pytest.raises(FileError, match="binary: byte 0"):
        parse_broker("mqtt://u@h", password_file=binary, environment=NOTHING)
    with pytest.raises(FileError, match="nowhere"):
        parse_broker("mqtts://h", ca_file=tmp_path / "nowhere", environment=NOTHING)
    with pytest.raises(FileError, match="empty: holds no certificate"):
        parse_broker("mqtts://h", ca_file=empty, environment=NOTHING)
    with pytest.raises(FileError, match="empty: and its key"):
        parse_broker("mqtts://h", cert_file=empty, key_file=empty, environment=NOTHING)


def test_options_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="without a user"):
        parse_broker("mqtt://h", environment={"STINGER_BROKER_PASSWORD": "x"})
    with pytest.raises(InputError, match="mqtts://"):
        parse_broker("mqtt://h", ca_file=tmp_path / "ca", environment=NOTHING)
    with pytest.raises(InputError, match="without its certificate"):
        parse_broker("mqtts://h", key_file=tmp_path / "key", environment=NOTHING)
    with pytest.raises(InputError, match="embedded"):
        parse_broker("embedded", password_file=tmp_path / "p", environment=NOTHING)


@given(st.text(max_size=40) | st.text(max_size=20).map("mqtt://".__add__))
def test_any_text_is_an_address_or_one_line(text: str) -> None:
    try:
        parse_broker(text, environment=NOTHING)
    except InputError as error:
        told = str(error).replace(repr(text), "")
    else:
        told = ""
    assert "\n" not in told
