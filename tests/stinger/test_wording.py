"""Texts that may hold a password, in messages."""

from __future__ import annotations

import pytest

from stinger.wording import without_user


@pytest.mark.parametrize(
    "text",
    [
        "mqtt://anna:sesame@host:1883",
        "mqtt:/anna:sesame@host",
        "mqtt:anna:sesame@host",
        "mqtts//anna:sesame@host",
        "MQTT://anna:sesame@host",
        "anna:sesame@host",
        "mqtt://anna:se/sesame@host",
        "mqtt://anna:x@sesame@host",
        "mqtt://anna:sesame",
        "mqtt://anna%3Asesame%40host",
        "tcp://anna:sesame@host:1?device=a@b",
        "tcp://host:1?password=sesame",
        "tcp://host:1?device=a&token=sesame",
        "replay://anna:sesame@host/x.bin",
        "serial://anna:sesame@host",
        "http://sesame@host",
        "'mqtt://anna:sesame@host'",
        "['mqtt://anna:sesame@host']",
        "\x00mqtt://anna:sesame@host",
        "mqtt ://anna:sesame@host",
    ],
)
def test_a_password_in_a_malformed_url_is_not_shown(text: str) -> None:
    assert "sesame" not in without_user(text)


@pytest.mark.parametrize(
    "text",
    [
        "replay:~/a@b.bin",
        "replay:/home/a@b/c.bin?speed=2",
        "/dev/by-id/a@b",
        "serial:///dev/tty@x",
        "tcp://host:5000",
        "tcp://[::1]:5000",
        "mqtt://host:1883",
        "mqtt://host",
        "host",
        "",
    ],
)
def test_a_text_without_a_password_stays(text: str) -> None:
    assert without_user(text) == text
