"""Where the broker is: what is understood, what is refused, and that no password is shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.config.broker_address import BrokerAddress, BrokerUrl, parse_broker_url, read_password
from service.config.loading import load_config
from stinger.errors import FileError, InputError
from tests.helpers.broker_addresses import address_of


@pytest.mark.parametrize(
    ("url", "expected", "shown"),
    [
        ("mqtt://host", BrokerAddress("host", 1883), "mqtt://host:1883"),
        ("mqtt://host:1999/", BrokerAddress("host", 1999), "mqtt://host:1999"),
        ("mqtt://host:", BrokerAddress("host", 1883), "mqtt://host:1883"),
        ("mqtt://anna@host", BrokerAddress("host", 1883, "anna"), "mqtt://anna@host:1883"),
        ("mqtt://a%40b@host", BrokerAddress("host", 1883, "a@b"), "mqtt://a@b@host:1883"),
        ("MQTT://HOST", BrokerAddress("host", 1883), "mqtt://host:1883"),
        ("mqtt://[::1]:7", BrokerAddress("::1", 7), "mqtt://[::1]:7"),
        ("embedded", BrokerAddress("127.0.0.1", 1883, embedded=True), "embedded:1883"),
        ("embedded:0", BrokerAddress("127.0.0.1", 0, embedded=True), "embedded:0"),
    ],
)
def test_a_url_is_understood_and_shown(url: str, expected: BrokerAddress, shown: str) -> None:
    address = address_of(url)
    assert address == expected
    assert str(address) == shown
    assert str(parse_broker_url(url)) == url


def test_mqtts_means_tls_and_another_port() -> None:
    address = address_of("mqtts://host")
    assert address.tls is not None
    assert address.tls.check_hostname
    assert str(address) == "mqtts://host:8883"


def test_the_same_broker_written_differently_is_the_same() -> None:
    assert parse_broker_url("embedded") == parse_broker_url("embedded:1883")
    assert parse_broker_url("mqtt://h") == BrokerUrl("mqtt://h:1883", "mqtt", "h", 1883)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("host", "^expected embedded, mqtt://"),
        ("", "^expected embedded, mqtt://"),
        ("http://host", "^expected embedded, mqtt://"),
        ("mqtt:host", "no host"),
        ("mqtt://", "no host"),
        ("mqtt://host:0", "port is not a number from 1"),
        ("mqtt://host:66000", "port is not a number from 1"),
        ("mqtt://host:x", "port is not a number from 1"),
        ("mqtt://host/topic", "nothing may follow the port"),
        ("mqtt://host?x", "nothing may follow the port"),
        ("mqtt://h/path?x", "nothing may follow the port"),
        ("mqtt://host#x", "nothing may follow the port"),
        ("mqtt://[::1", "^expected embedded"),
        ("mqtt://a..b", "no host"),
        ("mqtt://a\0b", "no host"),
        ("mqtt://a b", "no host"),
        (" mqtt://a", "no host"),
        ("embedded:x", "port is not a number from 0"),
        ("embedded:-1", "port is not a number from 0"),
        ("embedded:99999", "port is not a number from 0"),
        ("embedded:", "port is not a number from 0"),
    ],
)
def test_a_text_that_is_not_a_broker_is_refused_in_one_line(url: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        parse_broker_url(url)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["mqtt://u:sesame@host", "mqtts://:sesame@h:1", "http://u:sesame@h", "mqtt://u:se:sesame@h:x"]
)
def test_a_password_in_the_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(InputError, match="STINGER_BROKER_PASSWORD") as caught:
        parse_broker_url(url)
    assert "sesame" not in str(caught.value)


_around = st.text(st.sampled_from(":/@?#[]%embedtqs.\n\u2100x1"), max_size=12)


@given(_around, _around)
def test_no_message_repeats_what_may_be_a_password(before: str, after: str) -> None:
    try:
        url = parse_broker_url(f"{before}sesame{after}")
    except InputError as error:
        refused = str(error)
        assert "sesame" not in refused
        assert len(refused.splitlines()) == 1
    else:
        assert "sesame" in f"{url.host} {url.user}"  # parsed as host or user: not as a password


@given(st.text(max_size=40) | st.text(max_size=20).map("mqtt://".__add__) | st.text(max_size=9).map("embedded".__add__))
def test_any_text_is_a_broker_url_or_one_line(text: str) -> None:
    try:
        url = parse_broker_url(text)
    except InputError as error:
        refused = str(error)
        assert len(refused.splitlines()) == 1
    else:
        assert str(url) == text
        assert parse_broker_url(str(url)) == url


def test_a_password_is_taken_before_the_one_of_the_file_and_is_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("sesame\r\nrest\n")
    from_file = address_of("mqtt://u@h", password_file=path)
    assert from_file.password == "sesame"
    assert address_of("mqtt://u@h", password="other", password_file=path).password == "other"
    assert "sesame" not in f"{from_file} {from_file!r}"


def test_a_user_in_the_url_counts_more_than_the_one_beside_it() -> None:
    assert address_of("mqtt://u@h", user="v").user == "u"
    assert address_of("mqtt://h", user="v@w").user == "v@w"


@pytest.mark.parametrize(
    ("content", "password"),
    [
        (b"geheim", "geheim"),
        (b"geheim\n", "geheim"),
        (b"geheim\r\n", "geheim"),
        (b"geheim\r", "geheim"),
        (b"\xef\xbb\xbfgeheim\r\n", "geheim"),
        (b" pass word \r\nsecond line\n", " pass word "),
        ("gehéim\u2028x\n".encode(), "gehéim\u2028x"),
    ],
)
def test_a_password_file_gives_its_first_line(tmp_path: Path, content: bytes, password: str) -> None:
    path = tmp_path / "password"
    path.write_bytes(content)
    assert read_password(path) == password


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "line 1: has no password"),
        (b"\n", "line 1: has no password"),
        (b"\xef\xbb\xbf\r\n", "line 1: has no password"),
        (b"\nsesame\n", "line 1: has no password"),
        (b"ab\xff", "byte 2: is not UTF-8"),
        ("sesame".encode("utf-16"), "byte 0: is UTF-16, expected UTF-8"),
        (b"x" * 5000, "line 1: is too long for a password"),
    ],
)
def test_a_password_file_without_a_password_is_refused_with_its_place(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    path = tmp_path / "password"
    path.write_bytes(content)
    with pytest.raises(FileError, match=problem) as caught:
        read_password(path)
    assert "sesame" not in str(caught.value)


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    with pytest.raises(FileError, match="nowhere"):
        address_of("mqtts://h", ca_file=tmp_path / "nowhere")
    with pytest.raises(FileError, match="nowhere"):
        address_of("mqtt://u@h", password_file=tmp_path / "nowhere")
    with pytest.raises(FileError, match="empty: has no certificate"):
        address_of("mqtts://h", ca_file=empty)
    with pytest.raises(FileError, match="empty: and its key"):
        address_of("mqtts://h", cert_file=empty, key_file=empty)


def test_settings_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="without a user"):
        address_of("mqtt://h", password="x")
    with pytest.raises(InputError, match="mqtts://"):
        address_of("mqtt://h", ca_file=tmp_path / "ca")
    with pytest.raises(InputError, match="belong together"):
        address_of("mqtts://h", key_file=tmp_path / "key")
    with pytest.raises(InputError, match="embedded"):
        address_of("embedded", password_file=tmp_path / "p")


def test_the_embedded_broker_needs_no_password_even_if_the_environment_has_one() -> None:
    assert address_of("embedded", password="x") == BrokerAddress("127.0.0.1", 1883, embedded=True)


@pytest.mark.parametrize("written", ["\ufeffsesame", "sesame\n", "sesame\r\n", "\ufeffsesame\r\n\n"])
def test_a_password_in_the_environment_may_have_what_files_have_around_it(written: str) -> None:
    config = load_config(
        None, {"STINGER_BROKER_PASSWORD": written, "STINGER_BROKER_USER": "u"}, {"broker.url": "mqtt://h"}
    )
    assert config.broker.address().password == "sesame"
