"""docs/how-a-sample-flows.md names files that exist, and no more than 18 on the way of a sample."""

from __future__ import annotations

import re

from tests.helpers.places import ROOT

PAGE = (ROOT / "docs" / "how-a-sample-flows.md").read_text(encoding="utf-8")


def test_sample_passes_at_most_18_files() -> None:
    numbers = re.findall(r"^\| (\d+) \| `([^`]+)`", PAGE, flags=re.MULTILINE)
    assert [int(number) for number, _ in numbers] == list(range(1, len(numbers) + 1))
    assert 0 < len({name for _, name in numbers}) == len(numbers) <= 18


def test_every_file_named_exists() -> None:
    named = re.findall(r"`([\w/]+\.py)`", PAGE)
    assert named
    missing = [name for name in named if not (ROOT / name).exists() and not is_in_a_room_of_service(name)]
    assert missing == []


def is_in_a_room_of_service(name: str) -> bool:
    return "/" not in name and any(ROOT.glob(f"service/*/{name}"))
