"""The check of the built documentation finds links that lead nowhere, and what is loaded from other hosts."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.site_check import site_problems


def site(folder: Path, body: str) -> Path:
    (folder / "guide").mkdir(parents=True)
    (folder / "index.html").write_text("<h2 id='first'>First</h2>", encoding="utf-8")
    (folder / "topics.yaml").write_text("topics", encoding="utf-8")
    (folder / "guide" / "index.html").write_text(f"<h2 id='top'>Guide</h2>{body}", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "link", ["..", "../#first", "#top", "/", "../topics.yaml", "https://example.com/x", "mailto:a@b.c"]
)
def test_links_to_pages_headings_files_and_other_sites_are_fine(tmp_path: Path, link: str) -> None:
    assert site_problems(site(tmp_path / "site", f"<a href='{link}'>x</a>")) == []


@pytest.mark.parametrize("link", ["../missing/", "../#second", "#second", "../none.yaml", "../../secret.py"])
def test_a_link_that_leads_nowhere_or_out_of_the_site_is_found(tmp_path: Path, link: str) -> None:
    (tmp_path / "secret.py").write_text("", encoding="utf-8")
    assert site_problems(site(tmp_path / "site", f"<a href='{link}'>x</a>")) == [f"guide/index.html: links to {link}"]


@pytest.mark.parametrize(
    "element",
    [
        "<script src='https://cdn.example/x.js'></script>",
        "<link rel='stylesheet' href='//cdn.example/x.css'>",
        "<link rel='preconnect' href='https://fonts.example'>",
        "<img src='https://example.com/badge.svg'>",
    ],
)
def test_what_a_page_loads_from_another_host_is_found(tmp_path: Path, element: str) -> None:
    (problem,) = site_problems(site(tmp_path / "site", element))
    assert problem.startswith("guide/index.html: loads ")


def test_a_link_of_a_page_to_its_own_address_elsewhere_loads_nothing(tmp_path: Path) -> None:
    assert site_problems(site(tmp_path / "site", "<link rel='canonical' href='https://example.com/guide/'>")) == []
