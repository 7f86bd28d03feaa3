"""``stinger watch``: which broker its options name."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.cli.watch import watched_broker
from stinger.errors import InputError

ENVIRON = {"STINGER_BROKER_PASSWORD": "from the environment"}


def test_a_password_file_that_is_an_option_counts_more_than_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_bytes(b"\xef\xbb\xbfgeheim\r\n")
    assert watched_broker("mqtt://u@h", path, None, ENVIRON).password == "geheim"
    assert watched_broker("mqtt://u@h", None, None, ENVIRON).password == "from the environment"
    assert watched_broker("mqtt://u@h", None, None, {"STINGER_BROKER_PASSWORD": ""}).password is None


@pytest.mark.parametrize("url", ["mqtt://u:sesame@h", "h", "mqtt://h:sesame"])
def test_a_broker_that_cannot_be_used_is_one_line_that_names_the_option(url: str) -> None:
    with pytest.raises(InputError, match=r"^--broker: ") as raised:
        watched_broker(url, None, None, {})
    assert "sesame" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(InputError, match=r"no-ca\.pem: No such file"):
        watched_broker("mqtts://h", None, Path("no-ca.pem"), {})
