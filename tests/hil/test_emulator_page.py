from __future__ import annotations

from hil.cli.emulate import emulate
from hil.emulated.faults import FAULTS
from hil.emulated.faults.parsing import keys_of
from tests.helpers.places import ROOT

PAGE = (ROOT / "docs" / "emulator.md").read_text(encoding="utf-8")


def test_page_names_every_option() -> None:
    for parameter in emulate.params:
        for name in [*parameter.opts, *parameter.secondary_opts]:
            assert f"`{name}" in PAGE or name == "recording", name


def test_page_names_every_fault_and_its_keys() -> None:
    for name, kind in FAULTS.items():
        (row,) = [line for line in PAGE.splitlines() if line.startswith("|") and f"`{name}`" in line.split("|")[1]]
        assert {key for key in keys_of(kind) if f"`{key}`" in row.split("|")[2]} == {
            key for key in keys_of(kind) if key not in {"start", "for", "every"}
        }
