"""Checks a built site.

Every link leads to a page, file or heading of it, and nothing is loaded from another host. zensical checks the links
between pages; this also finds links to files that are not part of the site, such as source code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

_LOADED: Final = frozenset({"script", "img", "iframe", "source", "video", "audio", "embed", "object"})
"""Elements whose address a browser loads by itself. Of ``link``, see :data:`_LOADED_RELATIONS`."""
_LOADED_RELATIONS: Final = frozenset(
    {"stylesheet", "icon", "preload", "modulepreload", "preconnect", "dns-prefetch", "manifest"}
)


@dataclass(frozen=True, slots=True)
class _Page:
    """A page's headings and other places that a link may name, its links, and what a browser loads for it."""

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)


def site_problems(site: Path) -> list[str]:
    """Return what is wrong with the site in the folder ``site``, a line each.

    That is a link that leads nowhere, and an address of another host that a page loads.
    """
    site = site.resolve()
    pages = {path: _read(path) for path in sorted(site.rglob("*.html"))}
    problems = []
    for path, page in pages.items():
        name = path.relative_to(site).as_posix()
        problems += [f"{name}: loads {address}" for address in page.loaded if urlsplit(address).netloc]
        problems += [f"{name}: links to {link}" for link in page.links if not _leads_somewhere(link, path, site, pages)]
    return problems


def _leads_somewhere(link: str, page: Path, site: Path, pages: dict[Path, _Page]) -> bool:
    """Return whether ``link`` on ``page`` names a file and heading of the site; links to other hosts are not checked."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return True
    place = unquote(parts.path)
    target = (
        page if not place else (site / place.lstrip("/") if place.startswith("/") else page.parent / place).resolve()
    )
    if target.is_dir():
        target /= "index.html"
    if not target.is_relative_to(site) or not target.exists():
        return False
    return not parts.fragment or target not in pages or unquote(parts.fragment) in pages[target].anchors


def _read(path: Path) -> _Page:
    reader = _Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    reader.close()
    return reader.page


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = _Page()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value for name, value in attrs if value}
        self.page.anchors.update(values[name] for name in ("id", "name") if name in values)
        relations = set(values.get("rel", "").split())
        if tag in _LOADED or (tag == "link" and relations & _LOADED_RELATIONS):
            self.page.loaded.extend(values[name] for name in ("src", "href", "data") if name in values)
        self.page.links.extend(values[name] for name in ("src", "href") if name in values)
