from __future__ import annotations

import tomllib
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from service.cli.config_options import config_options, option_values, retraining_options
from service.config.config import KEYS, Config, toml_value
from service.config.docs import configuration_page
from service.config.loading import load_config
from service.config.source_url import parse_source_urls
from stinger.errors import FileError, InputError
from stinger.paths import data_dir
from tests.helpers.places import ROOT


def written(folder: Path, text: str) -> Path:
    path = folder / "stinger.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problem(
    path: Path | None = None, environ: dict[str, str] | None = None, options: dict[str, Any] | None = None
) -> str:
    with pytest.raises(InputError) as caught:
        load_config(path, environ or {}, options or {})
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_defaults_without_file_environment_and_options() -> None:
    config = load_config(None, {"HOME": "/x", "PATH": ""}, {})
    assert config == Config()
    assert (str(config.broker.url), config.model, config.metrics.port, config.recorder.enabled) == (
        "embedded",
        "champion",
        None,
        True,
    )
    assert config.data_dir == data_dir()


def test_later_settings_override_earlier_ones(tmp_path: Path) -> None:
    path = written(tmp_path, "threshold = 0.3\nscores = true\n[metrics]\nport = 1\nhost = '::1'")
    environ = {"STINGER_THRESHOLD": "0.4", "STINGER_METRICS_PORT": "2"}
    config = load_config(path, environ, {"metrics.port": 3, "threshold": None, "sources": ()})
    assert (config.threshold, config.scores, config.metrics.port, config.metrics.host) == (0.4, True, 3, "::1")


def test_values_of_every_type_are_read_from_file_and_environment(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        sources = ["serial://auto", "replay:a b.csv?speed=0"]
        data_dir = "data"
        threshold = 0.5
        min_shot_gap_ms = 5
        scores = true
        [recorder]
        sync_interval_s = 2
        """,
    )
    config = load_config(path, {}, {})
    assert config.sources == parse_source_urls(["serial://auto", "replay:a b.csv?speed=0"])
    assert config.data_dir == tmp_path / "data"
    assert config.recorder.sync_interval_s == 2.0
    environ = {
        "STINGER_SOURCES": "serial://auto  tcp://h:1",
        "STINGER_DATA_DIR": "data",
        "STINGER_SCORES": "No",
        "STINGER_MIN_SHOT_GAP_MS": " 7 ",
        "STINGER_MODEL": "",
    }
    config = load_config(path, environ, {})
    assert config.sources == parse_source_urls(["serial://auto", "tcp://h:1"])
    assert (config.data_dir, config.scores, config.min_shot_gap_ms, config.model) == (
        Path("data"),
        False,
        7,
        "champion",
    )


def test_file_may_be_named_by_the_environment(tmp_path: Path) -> None:
    assert load_config(None, {"STINGER_CONFIG": str(written(tmp_path, "model = 'm'"))}, {}).model == "m"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\nthreshhold = 1", "line 2: unknown key threshhold: did you mean threshold?"),
        ("[broker]\n\nurk = 1", "line 3: unknown key broker.urk: did you mean broker.url?"),
        ("[brokr]\nurl = 1", "line 1: unknown key brokr: did you mean broker?"),
        ('"a\\nb" = 1', "unknown key 'a\\nb': see"),
        ("sources = ['a\\nb']", "line 1: sources: "),
        ('sources = ["a\\nb"]', "line 1: sources: 'a\\nb': expected serial:"),
        ("[zzz]", "line 1: unknown key zzz: see docs/configuration.md"),
        ("broker = 'x'", "line 1: broker is a table: expected [broker] and its keys below"),
        ("broker.url = 5", "line 1: broker.url: expected a string, not 5"),
        ("threshold = '0.5'", "line 1: threshold: expected a number from 0.05 to 0.95, not '0.5'"),
        ("threshold = 2", "line 1: threshold: expected a number from 0.05 to 0.95, not 2.0"),
        ("threshold = nan", "line 1: threshold: expected a number from 0.05 to 0.95, not nan"),
        ("threshold = true", "line 1: threshold: expected a number from 0.05 to 0.95, not True"),
        ("scores = 1", "line 1: scores: expected true or false, not 1"),
        ("sources = 'tcp://a:1'", "line 1: sources: expected a list of strings, not 'tcp://a:1'"),
        (
            "sources = ['http://a']",
            "line 1: sources: 'http://a': unknown kind of source: expected serial:",
        ),
        ("data_dir = ''", "line 1: data_dir: expected a path, not ''"),
        ("[metrics]\nport = 70000", "line 2: metrics.port: expected a whole number from 0 to 65535, not 70000"),
        ("[log]\nlevel = 'loud'", "line 2: log.level: expected one of debug, info, warning, error, not 'loud'"),
        (
            "[broker]\nurl = 'mqtt://h:x'",
            "line 2: broker.url: the port is not a number from 1 to 65535: expected embedded, mqtt://HOST:PORT or mqtts:",
        ),
        ("[broker]\npassword = 'x'", "line 2: broker.password is read from STINGER_BROKER_PASSWORD only"),
        ("x = = 1", "line 1, column 5: is not TOML: Invalid value"),
        (f"x = {'9' * 5000}", "is not TOML: Exceeds the limit"),
        (f"threshold = {'9' * 400}", "line 1: threshold: expected a number from 0.05 to 0.95, not 9999"),
        ("sources = ['mqtts:']", "line 1: sources: 'mqtts:': samples come from the daemon's own broker"),
        ("sources = ['tcp://h:1', 'tcp://h:1']", "line 1: sources: 'tcp://h:1': 'tcp://h:1' is called h-1 as well"),
        (
            "sources = ['tcp://h:1?device=a b']",
            "line 1: sources: 'tcp://h:1?device=a b': device name 'a b': expected 1",
        ),
        ("[broker]\nurl = 'embedded:99999'", "line 2: broker.url: the port is not a number from 0 to 65535"),
        ("[broker]\nurl = 'mqtt://h/path?x'", "line 2: broker.url: nothing may follow the port"),
    ],
)
def test_fault_in_the_file_is_one_line_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)
    assert problem(path).startswith(f"{path}: {message}")


def test_missing_file_is_named(tmp_path: Path) -> None:
    assert problem(tmp_path / "none.toml") == f"{tmp_path / 'none.toml'}: No such file or directory"


def test_file_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_bytes(b"a = '\xff'")
    assert problem(tmp_path / "x.toml").endswith("byte 5: is not UTF-8")


def test_fault_in_the_environment_names_the_variable() -> None:
    assert problem(environ={"STINGER_TRESHOLD": "1"}) == (
        "environment variable STINGER_TRESHOLD: unknown: did you mean STINGER_THRESHOLD?"
    )
    assert problem(environ={"STINGER_METRICS_PORT": "http"}) == (
        "environment variable STINGER_METRICS_PORT: expected a whole number from 0 to 65535, not 'http'"
    )
    assert problem(environ={"STINGER_SCORES": "maybe"}).endswith("expected true or false, not 'maybe'")


def test_variables_that_kubernetes_sets_are_ignored() -> None:
    load_config(None, {"STINGER_PORT": "tcp://10.0.0.1:1", "STINGER_SERVICE_HOST": "x", "STINGER_PORT_1_TCP": ""}, {})


def test_fault_in_an_option_names_the_option() -> None:
    assert problem(options={"threshold": 3.0}) == "--threshold: expected a number from 0.05 to 0.95, not 3.0"
    assert problem(options={"broker.url": "http://x"}).startswith("--broker: expected embedded, mqtt://HOST")


@pytest.mark.parametrize("value", ["mqtt://me:secret@host", "mqtts://me:sec:r@et@host:1/x"])
def test_password_in_a_url_is_refused_and_not_repeated(value: str) -> None:
    for message in (problem(environ={"STINGER_BROKER_URL": value}), problem(environ={"STINGER_SOURCES": value})):
        assert "password_file" in message
        assert "me:" not in message
        assert "secret" not in message
        assert "sec:r" not in message


@pytest.mark.parametrize(
    "text",
    [
        "[broker]\nurl = ['mqtt://me:sesame@host']",
        "sources = 'tcp://me:sesame@host:1'",
        "sources = [['a:b:sesame@host']]",
    ],
)
def test_password_in_a_value_of_the_wrong_type_is_not_repeated(tmp_path: Path, text: str) -> None:
    message = problem(written(tmp_path, text))
    assert "...@host" in message
    assert "sesame" not in message


def test_files_of_tls_need_tls() -> None:
    assert "mqtts://" in problem(environ={"STINGER_BROKER_CA_FILE": "ca.pem"})
    assert "belong together" in problem(environ={"STINGER_BROKER_CERT_FILE": "c", "STINGER_BROKER_URL": "mqtts://h"})


def test_password_comes_from_the_environment_or_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b" pass word \r\n")
    path = written(tmp_path, "[broker]\nurl = 'mqtt://u@h'\npassword_file = 'secret'")
    assert load_config(path, {}, {}).broker.address().password == " pass word "
    assert load_config(path, {"STINGER_BROKER_PASSWORD": "other"}, {}).broker.address().password == "other"
    assert Config().broker.address().password is None
    for content in (b"", b"\n", b"\xff", b"x" * 5000):
        secret.write_bytes(content)
        with pytest.raises(FileError, match="secret"):
            load_config(path, {}, {}).broker.address()


def test_effective_configuration_reads_back_the_same_without_secrets(tmp_path: Path) -> None:
    environ = {
        "STINGER_BROKER_PASSWORD": "hunter2",
        "STINGER_THRESHOLD": "0.25",
        "STINGER_SOURCES": "serial://auto tcp://h:1",
        "STINGER_METRICS_PORT": "0",
        "STINGER_MODEL": 'a "b" \\ \x7f é',
        "STINGER_DATA_DIR": "/d",
    }
    config = load_config(None, environ, {})
    text = config.to_toml()
    assert "hunter2" not in text + repr(config)
    tomllib.loads(text)
    again = load_config(written(tmp_path, text), {}, {})
    assert again.changed_from(config) == ["broker.password"]


def test_configuration_is_immutable() -> None:
    with pytest.raises(FrozenInstanceError):
        Config().model = "x"  # type: ignore[misc]  # the assignment that must fail


def test_options_are_those_of_the_keys() -> None:
    found: dict[str, Any] = {}

    @click.command()
    @config_options
    def run(**parameters: Any) -> None:
        found.update(option_values(parameters))

    result = CliRunner().invoke(
        run,
        ["--source", "tcp://a:1", "--source", "serial://auto", "--no-record", "--metrics-port", "0", "--broker", "x"],
    )
    assert result.exit_code == 0, result.output
    assert {name: value for name, value in found.items() if value not in (None, ())} == {
        "sources": ("tcp://a:1", "serial://auto"),
        "recorder.enabled": False,
        "metrics.port": 0,
        "broker.url": "x",
    }
    help_ = " ".join(CliRunner().invoke(run, ["--help"], terminal_width=200).output.split())
    for entry in KEYS:
        if entry.traits.option and not entry.name.startswith("retrain."):
            assert entry.traits.option.partition("/")[0] in help_
            assert entry.traits.help in help_
    assert "--candidate" not in help_


def test_retraining_has_options_of_its_own() -> None:
    found: dict[str, Any] = {}

    @click.command()
    @retraining_options
    def run(**parameters: Any) -> None:
        found.update(option_values(parameters))

    result = CliRunner().invoke(run, ["--data-dir", "d", "--candidate", "mlp:rich", "--min-shots", "7"])
    assert result.exit_code == 0, result.output
    assert {name: value for name, value in found.items() if value not in (None, ())} == {
        "data_dir": "d",
        "retrain.candidates": ("mlp:rich",),
        "retrain.min_shots": 7,
    }
    assert "--broker" not in CliRunner().invoke(run, ["--help"]).output


def test_every_default_is_a_valid_value() -> None:
    for entry in KEYS:
        if not (entry.optional and entry.default is None):
            plain = tomllib.loads(f"value = {toml_value(entry.default)}")["value"]
            assert entry.parse(plain) == entry.default, entry.name
        assert entry.traits.help.endswith("."), entry.name
    assert len({entry.variable for entry in KEYS}) == len(KEYS)


def test_documentation_page_is_up_to_date() -> None:
    page = ROOT / "docs" / "configuration.md"
    assert page.read_text(encoding="utf-8") == configuration_page(), (
        "run: python -m service.config.docs > docs/configuration.md"
    )


def test_home_of_an_unknown_user_is_refused() -> None:
    with pytest.raises(InputError, match="STINGER_DATA_DIR: expected a path, not '~nobody-here/x'"):
        load_config(None, {"STINGER_DATA_DIR": "~nobody-here/x"}, {})
    with pytest.raises(FileError, match="~nobody-here/x: No such file"):
        load_config("~nobody-here/x", {}, {})
