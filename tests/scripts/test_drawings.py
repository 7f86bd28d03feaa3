"""The drawings of the documentation: their script draws all that are committed, in colours that follow the page."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping

import pytest

from scripts.drawings.__main__ import drawings
from scripts.drawings.example import make_example
from tests.helpers.places import ROOT

DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def drawn() -> Mapping[str, str]:
    return drawings(make_example())


def test_script_draws_the_pictures_that_are_committed(drawn: Mapping[str, str]) -> None:
    assert set(drawn) == {path.name for path in (DOCS / "pictures").glob("*.svg")}


def test_every_drawing_is_on_a_page(drawn: Mapping[str, str]) -> None:
    pages = "".join(path.read_text(encoding="utf-8") for path in DOCS.glob("*.md"))
    assert [name for name in drawn if f"](pictures/{name})" not in pages] == []


def test_drawings_are_xml_with_a_title(drawn: Mapping[str, str]) -> None:
    title = "{http://purl.org/dc/elements/1.1/}title"
    assert [name for name, text in drawn.items() if not next(ET.fromstring(text).iter(title)).text] == []


def test_drawings_have_no_colour_that_stays_the_same_on_a_dark_page(drawn: Mapping[str, str]) -> None:
    for name, text in drawn.items():
        fixed = set(re.findall(r"(?:fill|stroke|color): ?(#[0-9a-f]{6})", text.partition("</style>")[2], re.IGNORECASE))
        assert fixed == set(), name
