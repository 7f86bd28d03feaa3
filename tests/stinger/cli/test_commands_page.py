from __future__ import annotations

import re

from stinger.cli.commands import COMMANDS
from tests.helpers.places import ROOT


def test_the_page_about_commands_names_each_of_them() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert {name for name in COMMANDS if not re.search(rf"\| `[^|]*\b{name}\b[^|]*` \|", page)} == set()
