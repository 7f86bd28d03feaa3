"""``stinger hil list``."""

from __future__ import annotations

import json

import click

from hil.bench.scenario import Scenario, shipped_scenarios
from stinger.cli.options import json_option


@click.command("list", short_help="List the scenarios that come with the program.")
@json_option
def list_scenarios(*, as_json: bool) -> None:
    """List the scenarios that come with the program: name, duration, and what each tests.

    A scenario marked with a star only runs when it is named.
    """
    scenarios = shipped_scenarios()
    if as_json:
        click.echo(json.dumps({name: _to_json(scenario) for name, scenario in scenarios.items()}, indent=2))
        return
    width = max(map(len, scenarios))
    for name, scenario in scenarios.items():
        click.echo(f"{name:<{width}} {' ' if scenario.default else '*'} {scenario.seconds:>4g} s  {scenario.title}")


def _to_json(scenario: Scenario) -> dict[str, object]:
    return {
        "title": scenario.title,
        "seconds": scenario.seconds,
        "devices": scenario.devices,
        "link": scenario.link,
        "faults": list(scenario.faults),
        "default": scenario.default,
        "any_device": scenario.any_device,
        "limits": {
            name: {"at_least": limit.at_least, "at_most": limit.at_most, "marginal": limit.marginal}
            for name, limit in scenario.limits.items()
        },
    }
