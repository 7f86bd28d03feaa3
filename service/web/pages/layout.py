"""What all pages have in common.

Heading, navigation, style, and the line that shows whether daemon and broker are there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from service.web.daemon_client import DaemonClient

REFRESH_S: Final = 0.2
"""How often a page shows what has changed; charts move by themselves."""
_BROWSER_WITHIN_S: Final = 60.0
"""A program that fetches the page without running its script never connects."""
PAGES: Final = {
    "Live": "/",
    "Recordings": "/recordings",
    "Models": "/models",
    "Train": "/train",
    "Personalise": "/personalise",
    "Bench": "/bench",
    "Health": "/health",
}


class Text(TextElement):
    """A text in an HTML element ``tag``. It is shown as it is, never as markup."""

    def __init__(self, text: str, tag: str = "span") -> None:
        super().__init__(tag=tag, text=text)


def plain_button(text: str, on_click: Any) -> Text:
    """Return a button with ``text``, which calls ``on_click``."""
    button = Text(text, "button")
    button.classes("plain").props("type=button").on("click", on_click, args=[])
    return button


def show_hint(text: str) -> None:
    """Build a paragraph that says what else there is to know; nothing if ``text`` is empty."""
    if text:
        Text(text, "p").classes("hint")


async def is_shown() -> bool:
    """Wait until a browser shows what there is of the page so far; return whether one does.

    Await it before reading files: a page that is not built within three seconds is replaced by an error.
    """
    browser = ui.context.client
    with suppress(TimeoutError):
        await browser.connected(_BROWSER_WITHIN_S)
    return browser.has_socket_connection and not browser.is_deleted


@contextmanager
def page_frame(client: DaemonClient, title: str, current: str = "") -> Iterator[None]:
    """Build the frame of a page with the heading ``title``; what is built within the block is its content.

    ``current`` is the entry of the navigation that the page belongs to.
    """
    ui.page_title(f"{title} - Stinger")
    ui.add_css(STYLE)
    with ui.element("header").classes("top"):
        with ui.element("nav").props('aria-label="Pages"'):
            for name, path in PAGES.items():
                link = ui.link(name, path)
                if name == current:
                    link.props('aria-current="page"')
        state = Text("", "p").classes("state").props('role="status"')
    with ui.element("div").classes("content"):  # NiceGUI puts a page into an element "main"
        Text(title, "h1")
        yield

    def show_state() -> None:
        text, well = connection_text(client)
        state.set_text(text)
        state.classes(remove="bad" if well else "", add="" if well else "bad")

    show_state()
    ui.timer(REFRESH_S, show_state)


_WITHOUT_DAEMON: Final = "Is the daemon running ('stinger run')? Recordings, Personalise and Bench work without it."


def connection_text(client: DaemonClient) -> tuple[str, bool]:
    """Return one line about the daemon and its broker, and whether all is well."""
    state = client.state
    if client.problem:
        return f"⚠ {client.problem}; trying again. {_WITHOUT_DAEMON}", False
    if not state.daemon:
        return "⚠ The broker is there, but no daemon: start one with 'stinger run'", False
    if state.daemon != "online":
        return "⚠ The daemon is offline; this page continues when it is back", False
    if state.alarm:
        return f"⚠ Alarm: {state.alarm}", False
    return f"Daemon {state.version} online", True


STYLE: Final = """
:root { color-scheme: light dark; --ink: #1d1d1f; --paper: #fff; --soft: #f2f2f5; --line: #85858d; --link: #00508a;
  --bad: #9a3200; --badsoft: #fdeee4; }
@media (prefers-color-scheme: dark) { :root { --ink: #ececf1; --paper: #17171a; --soft: #242429; --line: #8b8b95;
  --link: #7cc4f5; --bad: #ffb58a; --badsoft: #3a2416; } }
body { background: var(--paper); color: var(--ink); font-family: system-ui, sans-serif; line-height: 1.45; }
.nicegui-content { display: block; padding: 0; max-width: 72rem; margin: 0 auto; }
header.top { display: flex; flex-wrap: wrap; gap: .4rem 1.5rem; align-items: baseline; padding: .6rem 1rem;
  border-bottom: 1px solid var(--line); }
header.top nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem; }
a, a.nicegui-link { color: var(--link); }
nav a[aria-current] { color: var(--ink); font-weight: 700; text-decoration: none; border-bottom: 3px solid var(--link); }
.state { margin: 0; overflow-wrap: anywhere; }
.bad { color: var(--bad); background: var(--badsoft); padding: .1rem .5rem; border-left: 4px solid var(--bad); }
.content { padding: .5rem 1rem 3rem; }
h1, h2 { line-height: 1.25; font-weight: 650; letter-spacing: normal; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: .6rem 0; }
h2 { font-size: 1.15rem; margin: 1.2rem 0 .4rem; }
.devices { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); gap: .8rem; padding: 0;
  margin: 0; list-style: none; }
.device { border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .8rem; background: var(--soft); }
.device h2 { margin: 0 0 .3rem; overflow-wrap: anywhere; }
.device canvas { width: 100%; height: 3.4rem; display: block; margin: 0 0 .4rem; }
.device.alarming { border: 2px solid var(--bad); } .device .bad { margin: .2rem 0 .4rem; }
dl { display: grid; grid-template-columns: fit-content(45%) 1fr; gap: .1rem .8rem; margin: 0; }
dt { opacity: .85; } dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.wheels-on { font-weight: 700; }
td button.plain { white-space: nowrap; }
.live-chart { margin-top: .8rem; }
.live-chart canvas { width: 100%; height: min(70vh, 34rem); display: block; }
.live-chart canvas.still { cursor: crosshair; touch-action: pan-y; }
.live-chart canvas.two { height: min(85vh, 42rem); }
.live-chart-bar, .controls { display: flex; flex-wrap: wrap; gap: .6rem 1.2rem; align-items: center; margin: .6rem 0; }
.live-chart-back { display: flex; gap: .5rem; align-items: center; flex: 1 1 16rem; }
.live-chart-back input { flex: 1; min-width: 6rem; }
button, select, input, textarea { font: inherit; }
dialog { background: var(--paper); color: var(--ink); border: 1px solid var(--line); border-radius: .5rem; max-width: 26rem; }
button.plain, select.plain, .live-chart button, .live-chart select { min-height: 2.4rem; padding: .2rem .9rem; border: 1px solid var(--line);
  border-radius: .4rem; background: var(--soft); color: var(--ink); cursor: pointer; }
select.plain { max-width: 100%; }
button:focus-visible, a:focus-visible, select:focus-visible, input:focus-visible { outline: 3px solid var(--link);
  outline-offset: 2px; }
.field { display: flex; flex-wrap: wrap; gap: .3rem .8rem; align-items: center; flex: 1 1 18rem; min-width: 0; max-width: 100%; }
.field input[type=range] { flex: 1; min-width: 8rem; }
.field input[type=text], .field input[type=number], .field input[type=search] { flex: 1; min-width: 8rem; min-height: 2.4rem; padding: .2rem .6rem; border: 1px solid var(--line);
  border-radius: .4rem; background: var(--paper); color: var(--ink); }
.trade-off svg { width: 100%; max-width: 52rem; display: block; cursor: crosshair; touch-action: pan-y; }
.trade-off text { font-size: 13px; fill: var(--ink); } .trade-off .grid { stroke: var(--line); stroke-width: .5; }
.trade-off polyline, .trade-off line.in-time, .trade-off line.duty { fill: none; stroke-width: 2.5; }
.trade-off .in-time { stroke: #0072b2; } .trade-off .duty { stroke: #b34700; stroke-dasharray: 7 4; }
.trade-off circle { fill: var(--paper); stroke-width: 3; stroke-dasharray: none !important; }
.trade-off .marker { stroke: var(--ink); stroke-dasharray: 2 3; } .trade-off .field { max-width: 52rem; }
.figures { font-variant-numeric: tabular-nums; font-weight: 600; }
@media (prefers-color-scheme: dark) { .trade-off .in-time { stroke: #56b4e9; } .trade-off .duty { stroke: #e69f00; } }
.events { margin: 0; padding-left: 1.2rem; }
.shots { max-height: 22rem; overflow: auto; padding: .3rem; } .shots td, .shots td button.plain { white-space: normal; text-align: left; }
.hint { border-left: 4px solid var(--link); padding-left: .7rem; max-width: 46rem; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .35rem .6rem;
  border-bottom: 1px solid var(--line); overflow-wrap: break-word; } td.number, th.number { text-align: right;
  font-variant-numeric: tabular-nums; white-space: nowrap; }
.scroll { overflow-x: auto; }
.steps { padding-left: 1.4rem; } .steps > li::marker { font-weight: 650; }
details { margin: .5rem 0; } summary { cursor: pointer; display: list-item; }
.choice { border: 1px solid var(--line); border-radius: .5rem; display: grid; gap: .2rem 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(22rem, 100%), 1fr)); }
.choice label { display: flex; gap: .5rem; align-items: baseline; padding: .15rem 0; }
.alarm { max-width: 46rem; }
.intro { max-width: 46rem; }
.verdict { font-weight: 650; font-size: 1.1rem; }
.report-picture { max-width: 100%; height: auto; background: #fff; }
.needs { list-style: none; margin: 0; padding: 0; max-width: 46rem; }
.needs li { margin: .4rem 0; } .needs meter { display: block; width: 100%; height: 1.2rem; }
.action { border: 1px solid var(--line); border-radius: .5rem; padding: .4rem .8rem; margin: .6rem 0; max-width: 60rem; }
.action progress { width: 100%; height: 1.2rem; accent-color: var(--link); }
.action p { margin: .3rem 0; overflow-wrap: anywhere; }
.action pre { white-space: pre-wrap; overflow-wrap: anywhere; max-height: 20rem; overflow: auto; margin: .4rem 0; }
"""
