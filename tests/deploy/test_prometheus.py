"""Prometheus' files: valid, with queries of existing metrics, and alerts that fire when they should."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from models.synthetic import synthesise
from stinger.logs import write_log
from tests.deploy.places import DEPLOY, program
from tests.helpers.brokers import free_port
from tests.helpers.cli import run_program
from tests.helpers.daemons import daemon
from tests.helpers.patience import PATIENCE_S
from tests.helpers.places import ROOT
from tests.service.ops.test_metrics import busy_metrics

ALERTS: Final = DEPLOY / "prometheus" / "alerts.yml"
DASHBOARD: Final = DEPLOY / "grafana" / "dashboards" / "stinger.json"
OF_PROMETHEUS: Final = {"up", "ALERTS"}


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def dashboard_queries() -> dict[str, str]:
    """Return every query of the dashboard, by the title of its panel and its letter."""
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    queries = {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    }
    queries |= {note["name"]: note["expr"] for note in dashboard["annotations"]["list"]}
    return queries


def as_of_now(query: str) -> str:
    """Return the query with Grafana's variables replaced."""
    return query.replace("$__rate_interval", "1m").replace("$device", ".*")


def names_in(query: str) -> set[str]:
    """Return the metrics in a query: words before a brace, a bracket or an operator, without functions and labels."""
    bare = re.sub(r'"[^"]*"', '""', as_of_now(query))
    bare = re.sub(r"\{[^}]*\}", "{}", bare)
    bare = re.sub(r"\b(by|ignoring|on|without|group_left|group_right)\s*\([^)]*\)", "", bare)
    words = re.findall(r"(?<![\w.\[])([A-Za-z_][A-Za-z0-9_]*)(?!\s*\(|\w)", bare)
    return set(words) - {"and", "or", "unless", "offset", "by", "bool", "m", "h"}


def exported() -> set[str]:
    """Return the names of the daemon's series."""
    names = set()
    for line in busy_metrics().expose().decode().splitlines():
        if line and not line.startswith("#"):
            names.add(re.split(r"[{ ]", line)[0])
    return names


@pytest.mark.parametrize("name", ["prometheus.yml", "fleet.yml"])
def test_configuration_and_rules_are_valid(name: str) -> None:
    checked = run_program(program("promtool", "Debian's prometheus"), "check", "config", DEPLOY / "prometheus" / name)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(rules())} rules found" in checked.stdout + checked.stderr


def test_alerts_fire_only_when_they_should() -> None:
    tested = run_program(
        program("promtool", "Debian's prometheus"), "test", "rules", ROOT / "tests" / "deploy" / "alerts_test.yml"
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_alert_is_tested_firing_and_not_firing() -> None:
    tests = yaml.safe_load((ROOT / "tests" / "deploy" / "alerts_test.yml").read_text(encoding="utf-8"))["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    names = {rule["alert"] for rule in rules()}
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == names
    assert {case["alertname"] for case in cases if not case["exp_alerts"]} == names


def test_every_alert_is_documented() -> None:
    page = (ROOT / "docs" / "running-a-hall.md").read_text(encoding="utf-8")
    assert [rule["alert"] for rule in rules() if f"`{rule['alert']}`" not in page] == []
    mentioned = set(re.findall(r"`(Stinger[A-Z]\w+)`", page))
    assert mentioned - {rule["alert"] for rule in rules()} == set()


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_alert_uses_exported_metrics(rule: dict[str, Any]) -> None:
    used = names_in(rule["expr"])
    assert used
    assert used - exported() - OF_PROMETHEUS == set()


@pytest.mark.parametrize("place", dashboard_queries())
def test_dashboard_uses_exported_metrics(place: str) -> None:
    used = names_in(dashboard_queries()[place])
    assert used
    assert used - exported() - OF_PROMETHEUS == set()


def test_queries_of_the_dashboard_are_valid(tmp_path: Path) -> None:
    recorded = [{"record": f"q{i}", "expr": as_of_now(query)} for i, query in enumerate(dashboard_queries().values())]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": recorded}]}))
    checked = run_program(program("promtool", "Debian's prometheus"), "check", "rules", path)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_panels_have_their_own_ids_and_do_not_overlap() -> None:
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        covered = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & covered, panel["title"]
        cells |= covered


def test_panels_have_descriptions() -> None:
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    assert [panel["title"] for panel in panels if panel["type"] != "row" and not panel["description"]] == []


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[str]:
    """Run Prometheus with the project's files, scraping ``target`` every second; yield its address."""
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(ALERTS)]
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [target]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    command = [
        program("prometheus", "Debian's prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address={address}",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def query_prometheus(address: str, query: str) -> list[dict[str, Any]]:
    """Return the result of a query; empty while Prometheus does not answer."""
    try:
        with urllib.request.urlopen(
            f"{address}/api/v1/query?query={urllib.parse.quote(query)}", timeout=PATIENCE_S
        ) as response:
            result: list[dict[str, Any]] = json.load(response)["data"]["result"]
            return result
    except OSError:
        return []


def wait_for(address: str, query: str) -> list[dict[str, Any]]:
    deadline = time.monotonic() + PATIENCE_S
    while not (found := query_prometheus(address, query)):
        assert time.monotonic() < deadline, query
        time.sleep(0.1)
    return found


def test_every_query_of_the_dashboard_has_a_result_with_a_real_daemon(tmp_path: Path) -> None:
    program("prometheus", "Debian's prometheus")
    write_log(tmp_path / "session.bin", synthesise(minutes=1, seed=3))
    source = f"replay:{tmp_path / 'session.bin'}?speed=10&loop=forever"
    with daemon(tmp_path, "--source", source, "--broker", "embedded:0", "--metrics-port", "0") as process:
        target = process.wait_for(r"metrics: http://(\S+)/metrics")[1]
        with prometheus(tmp_path, target) as address:
            # Rates need two scrapes; shots, spin-ups and leads need some of the session.
            wait_for(
                address, "increase(stinger_spinups_total[1m]) > 0 and on() increase(stinger_lead_seconds_count[1m]) > 0"
            )
            wait_for(address, "count(ALERTS) or vector(0)")
            empty = [
                place for place, query in dashboard_queries().items() if not query_prometheus(address, as_of_now(query))
            ]
            assert empty == []
            with urllib.request.urlopen(f"{address}/api/v1/rules", timeout=PATIENCE_S) as response:
                (group,) = json.load(response)["data"]["groups"]
            assert [rule["name"] for rule in group["rules"] if rule["health"] == "err"] == []
