"""Who can read what a daemon, retraining and the registry write; and that no output shows a password."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from models.factory import factory_model_bytes
from models.synthetic.session import synthesise
from stinger.cli import main
from stinger.logs.writing import write_log
from tests.helpers.cli import invoke, run_stinger
from tests.helpers.daemons import daemon

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")


def modes(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield each path below ``folder``, itself included, with its mode."""
    for path in (folder, *sorted(folder.rglob("*"))):
        yield path.relative_to(folder.parent).as_posix(), stat.S_IMODE(path.stat().st_mode)


def add_model(folder: Path) -> str:
    """Add a model to the registry in ``folder / "data"`` and return its version."""
    (folder / "model.onnx").write_bytes(factory_model_bytes())
    added = invoke("models", "add", folder / "model.onnx", "--data-dir", folder / "data")
    assert added.exit_code == 0, added.output
    return added.stdout.split()[-1]


def play(folder: Path, *arguments: str) -> str:
    """Run a daemon over a short recording, add a model, and return the daemon's log."""
    log = folder / "log.bin"
    write_log(log, synthesise(minutes=0.2, seed=1))
    source = f"replay:{log}?speed=0"
    with daemon(folder, "--source", source, "--broker", "embedded:0", "--model", "factory", *arguments) as process:
        assert process.end() == 0, process.log_text()
    version = add_model(folder)
    assert invoke("models", "promote", version, "--data-dir", folder / "data").exit_code == 0
    return process.log_text()


def test_only_the_user_can_read_the_data_folder(tmp_path: Path) -> None:
    play(tmp_path)
    found = dict(modes(tmp_path / "data"))
    assert any(name.endswith(".bin") for name in found)
    assert any(name.endswith("champion") for name in found)
    assert {name: oct(mode) for name, mode in found.items() if mode & 0o077} == {}


def test_the_group_can_read_it_if_that_is_asked_for(tmp_path: Path) -> None:
    play(tmp_path, "--group-readable")
    for path, mode in modes(tmp_path / "data"):
        expected = 0o600 if path.endswith("broker-password") else 0o750 if (tmp_path / path).is_dir() else 0o640
        assert (path, oct(mode)) == (path, oct(expected))


def test_the_folder_of_an_earlier_version_is_closed(tmp_path: Path) -> None:
    (tmp_path / "data" / "recordings").mkdir(parents=True)
    (tmp_path / "data").chmod(0o755)
    play(tmp_path)
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_a_folder_with_other_things_in_it_keeps_its_mode_and_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "thesis.txt").touch()
    (tmp_path / "data").chmod(0o755)
    log = play(tmp_path)
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o755
    assert "data_folder_open_to_others" in log


def test_a_model_that_is_added_first_creates_a_private_folder(tmp_path: Path) -> None:
    add_model(tmp_path)
    assert {name: oct(mode) for name, mode in modes(tmp_path / "data") if mode & 0o077} == {}


URLS = ("mqtt://anna:sesame@h", "mqtts//anna:sesame@h", "mqtt://anna:sesame", "anna:sesame@h", "mqtt://h:sesame/x")


def refused(arguments: tuple[str, ...], **environ: str) -> str:
    """Run a command in this process, which must refuse its arguments in one line; return that line."""
    ended = CliRunner().invoke(main, arguments, env=environ)
    assert ended.exit_code == 2, ended.output
    assert len(ended.output.splitlines()) == 1
    return ended.output


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize(
    "command",
    [
        ("run", "--check", "--broker"),
        ("run", "--check", "--source"),
        ("run", "--print-config", "--broker"),
        ("watch", "--broker"),
        ("pull", "--port"),
        ("hil", "run", "--broker"),
        ("hil", "run", "--dut"),
    ],
    ids=" ".join,
)
def test_a_malformed_url_is_not_shown_with_its_password(command: tuple[str, ...], url: str) -> None:
    assert "sesame" not in refused((*command, url))


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("key", ["broker.url", "sources", "broker.user", "metrics.port", "data_dir.x", "model"])
def test_a_malformed_url_in_a_configuration_or_the_environment_is_not_shown_with_its_password(
    tmp_path: Path, key: str, url: str
) -> None:
    path = tmp_path / "stinger.toml"
    path.write_text(f'{key} = ["{url}", 1]\n')
    assert "sesame" not in refused(("run", "--check", "--config", str(path)))
    path.write_text(f'{key} = {{a = "{url}"}}\n')
    assert "sesame" not in refused(("run", "--check", "--config", str(path)))
    assert "sesame" not in refused(("run", "--check"), STINGER_SOURCES=url)


def test_a_process_does_not_show_the_password_of_a_malformed_url() -> None:
    ended = run_stinger("run", "--broker", URLS[0])
    assert ended.returncode == 2
    assert "sesame" not in ended.stdout + ended.stderr
