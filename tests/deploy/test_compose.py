"""The compose file: valid by the published schema, and consistent with files, images and settings."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import yaml

from service.config.loading import load_config
from service.config.source_url import NatsUrl
from tests.deploy.composed import COMPOSE, DEMO, USB, demo_environment, interpolated, services
from tests.deploy.places import DEPLOY, is_command
from tests.helpers.cli import STINGER, run_program
from tests.helpers.places import ROOT

ONE_SHOT = {"accounts", "nats-setup"}
"""Services that create accounts, and then end."""


@pytest.mark.parametrize("path", [COMPOSE, USB], ids=lambda path: path.name)
def test_file_follows_the_published_schema(path: Path) -> None:
    checked = run_program(sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", path)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_schema_check_finds_a_mistake(tmp_path: Path) -> None:
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text(COMPOSE.read_text(encoding="utf-8").replace("restart: unless-stopped", "restrat: unless-stopped"))
    assert (
        run_program(
            sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", wrong
        ).returncode
        == 1
    )


def test_services_are_documented() -> None:
    page = (ROOT / "docs" / "running-a-hall.md").read_text(encoding="utf-8")
    assert [name for name in services() if f"`{name}`" not in page] == []


@pytest.mark.parametrize("name", services())
def test_mounted_files_and_volumes_exist(name: str) -> None:
    volumes = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["volumes"]
    for mount in services()[name].get("volumes", ()):
        source = mount.partition(":")[0]
        assert (ROOT / source).exists() if source.startswith("./") else source in volumes


@pytest.mark.parametrize("name", services())
def test_image_is_pinned_or_built_here(name: str) -> None:
    service = services()[name]
    if "build" in service:
        stages = re.findall(r"^FROM .* AS (\w+)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
        assert service["build"]["target"] in stages
        assert service["image"] == f"stinger-ml:{service['build']['target']}"
    else:
        assert re.fullmatch(r"[\w/-]+:v?\d+\.\d+\.\d+", service["image"])


@pytest.mark.parametrize("name", services())
def test_logs_are_rotated(name: str) -> None:
    options = services()[name]["logging"]["options"]
    assert (options["max-size"], options["max-file"]) == ("10m", "5")


@pytest.mark.parametrize("name", services())
def test_lasting_service_restarts_after_a_reboot(name: str) -> None:
    assert services()[name].get("restart") == (None if name in ONE_SHOT else "unless-stopped")


@pytest.mark.parametrize("name", services())
def test_every_service_is_confined(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert set(service.get("cap_add", ())) == ({"CHOWN", "DAC_OVERRIDE", "FOWNER"} if name in ONE_SHOT else set())
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert 0 < service["pids_limit"] <= 512


@pytest.mark.parametrize("name", [name for name, service in services().items() if "ports" in service])
def test_ports_are_open_to_this_machine_only_unless_that_is_set(name: str) -> None:
    for port in services()[name]["ports"]:
        assert interpolated(port, {}).startswith("127.0.0.1:")


def test_files_hold_no_secrets() -> None:
    for path in [COMPOSE, USB, DEMO]:
        assert not re.search(r"(?i)password\w*\s*[:=]\s*(?!/)\S", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("environ", [{}, demo_environment()], ids=["plain", "demo"])
def test_daemon_accepts_its_settings(environ: dict[str, str]) -> None:
    settings = services()["daemon"]["environment"]
    config = load_config(None, {name: interpolated(value, environ) for name, value in settings.items()}, {})
    assert tuple(map(str, config.sources)) == (("tcp://blaster:7000?device=demo",) if environ else ("mqtt:",))
    assert str(config.broker.url) == "mqtt://broker:1883"
    assert str(config.recorder.keep_size) == ("500MB" if environ else "20GB")


def test_usb_variant_listens_on_serial_ports() -> None:
    settings = services(USB)["daemon"]["environment"]
    config = load_config(None, {name: interpolated(value, {}) for name, value in settings.items()}, {})
    assert tuple(map(str, config.sources)) == ("serial://auto",)
    assert set(services(USB)) <= set(services())


def test_in_the_usb_variant_the_page_may_open_the_same_ports_as_the_daemon() -> None:
    found = services(USB)
    for key in ("volumes", "device_cgroup_rules", "group_add"):
        assert found["page"][key] == found["daemon"][key] != []


def test_emulated_blaster_and_page_run_in_their_profiles_only() -> None:
    profiles = {name: service["profiles"] for name, service in services().items() if "profiles" in service}
    fleet = {name: ["fleet"] for name in services() if name.startswith(("nats", "fleet"))}
    assert len(fleet) == 7
    assert profiles == {"blaster": ["demo"], "page": ["page"], **fleet}


@pytest.mark.parametrize("name", ["fleet1", "fleet2", "fleet3"])
def test_daemons_of_the_fleet_share_one_stream_and_accept_their_settings(name: str) -> None:
    settings = services()[name]["environment"]
    config = load_config(None, {key: interpolated(value, {}) for key, value in settings.items()}, {})
    (url,) = config.sources
    assert isinstance(url, NatsUrl)
    assert (url.stream, url.partitions, url.group, url.replicas) == ("SAMPLES", 16, "hall", 3)
    assert config.broker.url.scheme == "mqtts"


def test_prometheus_of_a_fleet_scrapes_every_daemon_of_it() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus" / "fleet.yml").read_text(encoding="utf-8"))
    targets = config["scrape_configs"][0]["static_configs"][0]["targets"]
    assert targets == [f"{name}:9464" for name in services() if name.startswith("fleet")]


def test_the_page_accepts_its_options_and_demands_a_password(tmp_path: Path) -> None:
    name, *options = (interpolated(option, {}) for option in services()["page"]["command"])
    local = [option.replace("/accounts", str(tmp_path)).replace("/data", str(tmp_path)) for option in options]
    refused = run_program(*STINGER, name, *local)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "page-password: No such file" in refused.stderr


@pytest.mark.parametrize(
    "name", [name for name, service in services().items() if "build" in service and "entrypoint" not in service]
)
def test_command_exists(name: str) -> None:
    assert is_command(services()[name].get("command", ["run"])[0])


def test_variables_are_documented() -> None:
    page = (ROOT / "docs" / "running-a-hall.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\$\{(\w+)", COMPOSE.read_text(encoding="utf-8") + USB.read_text(encoding="utf-8")))
    assert [name for name in sorted(named) if f"`{name}`" not in page] == []
