from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from service.config.broker_address import parse_broker_url
from service.config.config import BrokerConfig, Config
from service.config.source_url import parse_source_urls
from service.daemon.check import check
from stinger.errors import InputError


def checked(tmp_path: Path, *sources: str, **changes: object) -> None:
    check(replace(Config(), data_dir=tmp_path, sources=parse_source_urls(sources), **changes))  # type: ignore[arg-type]  # any field


def broker(url: str, **settings: object) -> BrokerConfig:
    return BrokerConfig(url=parse_broker_url(url), **settings)  # type: ignore[arg-type]  # any field


def test_configuration_of_files_and_ports_that_exist_passes(tmp_path: Path) -> None:
    (tmp_path / "port").symlink_to("/dev/null")
    checked(tmp_path, f"serial://{tmp_path}/port", "serial://auto", "tcp://nowhere.invalid:1", "mqtt:")


@pytest.mark.parametrize(
    ("sources", "changes", "problem"),
    [
        (("serial:///dev/no-such-port",), {}, "source 'serial:///dev/no-such-port': no such port"),
        (("serial:///etc/passwd",), {}, "source 'serial:///etc/passwd': is not a serial port"),
        (("serial:///tmp",), {}, "source 'serial:///tmp': is not a serial port"),
        (("replay:/no/such.bin",), {}, "source 'replay:/no/such.bin': /no/such.bin: No such file"),
        ((), {"model": "no-such-version"}, "no model 'no-such-version'"),
        ((), {"model": "/no/such.onnx"}, "/no/such.onnx: No such file"),
        ((), {"broker": broker("mqtts://b", ca_file=Path("/no/ca.pem"))}, "/no/ca.pem: No such file"),
        ((), {"broker": broker("mqtt://b", user="u", password_file=Path("/no/pw"))}, "/no/pw: No such file"),
        ((), {"broker": broker("mqtt://b", password="sesame")}, "a password without a user"),
    ],
)
def test_what_is_missing_is_one_line_with_its_place(
    tmp_path: Path, sources: tuple[str, ...], changes: dict[str, object], problem: str
) -> None:
    with pytest.raises(InputError) as caught:
        checked(tmp_path, *sources, **changes)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)
