"""docs/hil.md describes every measurement, fault and option."""

from __future__ import annotations

import re

import pytest

from hil.bench.bench_faults import BENCH_FAULTS
from hil.bench.scenario import parse_scenario
from hil.cli.run import run
from hil.measuring.definitions import MEASUREMENTS
from tests.helpers.places import ROOT
from tests.helpers.sabotage import Sabotage

DOCS = ROOT / "docs"
PAGE = (DOCS / "hil.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "names", [MEASUREMENTS, BENCH_FAULTS, list(Sabotage)], ids=["measurements", "faults", "sabotage"]
)
def test_page_names_every(names: list[str]) -> None:
    assert [name for name in names if f"| `{name}`" not in PAGE and f", `{name}`" not in PAGE] == []


def test_page_names_every_option() -> None:
    options = [option for parameter in run.params for option in parameter.opts if option.startswith("--")]
    assert [option for option in options if f"`{option}" not in PAGE] == []


def test_example_of_a_scenario_is_valid() -> None:
    example = PAGE.partition("```toml\n")[2].partition("```")[0]
    assert parse_scenario(example.encode(), name="example", place="docs/hil.md").faults == ["unplug:start=2,for=2"]


def test_every_link_has_a_target() -> None:
    targets = {target.partition("#")[0] for target in re.findall(r"\]\(([^)]+)\)", PAGE) if "://" not in target}
    assert [target for target in sorted(targets) if not (DOCS / target).exists()] == []
