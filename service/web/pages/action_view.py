"""What a page shows of a long action.

Its step, the time left, its output, a button to cancel it, and how it ended.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Final

from nicegui import ui

from service.web.actions import Actions, Kind
from service.web.long_action import LongAction, State
from service.web.pages.layout import REFRESH_S, Text, plain_button
from stinger.errors import StingerError
from stinger.quantities import size_text

_STEPS: Final = {
    "Reading": "Reading recordings",
    "Building": "Preparing what to learn from",
    "Fitting": "Training and testing models",
    "Scoring": "Running the model over the recordings",
    "Thresholds": "Trying every threshold",
    "Training on all": "Training the model on everything",
    "Drawing": "Drawing pictures",
    "scenarios": "Running scenarios",
}
"""The steps of commands, in words for people who do not know the program."""
_IN_BYTES: Final = frozenset({"Fetching the log"})
"""The steps that are counted in bytes."""
_MINUTE_S: Final = 60
_LINES_SHOWN: Final = 100
_SINGLE_STEP: Final = 2
"""Number of steps, with the start, of an action for which the time left in its step is all there is."""

OnEnd = Callable[[LongAction], Awaitable[None]]


class ActionView:
    """Shows the newest action of ``kind``, and ``on_end`` is awaited for each that ends.

    It is also awaited for one that had ended before the page was opened. One that has ended is ignored unless ``concerns`` returns True for it.
    """

    def __init__(
        self, actions: Actions, kind: Kind, on_end: OnEnd, concerns: Callable[[LongAction], bool] = lambda _: True
    ) -> None:
        self._actions = actions
        self._concerns = concerns
        self._kind = kind
        self._on_end = on_end
        self._shown: tuple[LongAction, State] | None = None
        self._line_count = -1
        self._box = ui.element("div").classes("action").props(f'data-action="{kind.name.lower()}"')
        with self._box:
            self._text = Text("", "p").props('data-fact="action"')
            self._bar = ui.element("progress").props('max=1 aria-label="Progress of this step"')
            self._cancel = plain_button("Cancel", self._cancel_action)
            self._outcome = Text("", "p").props('role=status data-fact="outcome"')
            with ui.element("details") as self._details:
                Text("What it printed", "summary")
                self._lines = Text("", "pre").props('tabindex=0 aria-label="What it printed"')
        self._box.set_visibility(False)
        ui.timer(REFRESH_S, self._refresh)

    async def _refresh(self) -> None:
        action = self._actions.newest(self._kind)
        if action is None:
            return
        state = action.state
        running = state == "running"
        if not running and not self._concerns(action):
            self._box.set_visibility(False)
            return
        self._box.set_visibility(True)
        self._text.set_visibility(running)
        self._bar.set_visibility(running)
        self._cancel.set_visibility(running and not action.is_cancelling)
        if running:
            self._text.set_text(running_text(action, time.monotonic()))
            self._show_bar(action)
        lines = action.lines[-_LINES_SHOWN:]
        self._details.set_visibility(bool(lines))
        self._lines.set_text("\n".join(lines))
        if self._shown != (action, state):
            self._shown = (action, state)
            self._outcome.set_text(outcome_text(action))
            self._outcome.classes(add="bad" if state == "failed" else "", remove="" if state == "failed" else "bad")
            if not running:
                await self._on_end(action)

    def _show_bar(self, action: LongAction) -> None:
        progress = action.progress
        part = None if progress is None else round(progress.done / progress.of, 3)
        if self._bar.props.get("value") != part:
            if part is None:
                self._bar.props.pop("value", None)
            else:
                self._bar.props["value"] = part

    def _cancel_action(self) -> None:
        action = self._actions.newest(self._kind)
        if action is not None:
            action.cancel()


def start_action(actions: Actions, kind: Kind, arguments: Callable[[], list[str]]) -> None:
    """Start the action with ``arguments()``; show why if that is not possible."""
    try:
        actions.start(kind, arguments())
    except (StingerError, OSError) as error:
        ui.notify(f"Not started: {error}", type="negative", timeout=8000)


def running_text(action: LongAction, now_s: float) -> str:
    """Return what the action does now, how far it is, and the time left for its step and for the whole."""
    if action.is_cancelling:
        return "Cancelling …"
    since = f"running for {duration_text(now_s - action.began_s)}"
    progress = action.progress
    if progress is None:
        return f"Starting …, {since}"
    left_s, whole_left_s = progress.left_s(now_s), progress.whole_left_s(action.earlier, now_s)
    left = "" if left_s is None else f", about {duration_text(left_s)} left in this step"
    if whole_left_s is not None and len(action.earlier) > _SINGLE_STEP:
        left += f", about {duration_text(whole_left_s)} in all"
    number = size_text if progress.label in _IN_BYTES else "{:,}".format
    step = _STEPS.get(progress.label, progress.label)
    return f"{step}: {number(progress.done)} of {number(progress.of)}{left}; {since}"


def outcome_text(action: LongAction) -> str:
    """Return how the action ended; empty while it runs."""
    if action.state == "running" or action.ended_s is None:
        return ""
    took = duration_text(action.ended_s - action.began_s)
    if action.state == "failed":
        return f"⚠ Failed after {took}: {action.problem}"
    return f"✓ Finished after {took}" if action.state == "done" else f"○ Cancelled after {took}"


def duration_text(seconds: float) -> str:
    """Return a duration in words.

    >>> duration_text(4.2), duration_text(185)
    ('4 s', '3 min 5 s')
    """
    minutes, rest = divmod(round(max(0.0, seconds)), _MINUTE_S)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
