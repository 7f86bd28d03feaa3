"""What the page of a recording shows of a part of it: picture, what is left out, and the shots with their marks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from nicegui import ui

from models.registry import Registry
from service.recording.marking import change_marks
from service.web.pages.layout import Text, plain_button
from service.web.pages.live_chart import RecordingChart
from service.web.pages.recordings import length_text
from service.web.scored_recording import ScoredRecording, StillMark, score_stored
from stinger.errors import StingerError
from stinger.logs.marked import sidecar_path
from stinger.marks import Marks

LOOK_AGAIN_S: Final = 1.0
"""Interval at which the page checks for marks set by someone else."""
_SHOT_SPAN_S: Final = 5
_SHOTS_LISTED: Final = 1_000
_VERDICTS: Final = {
    "in time": "✓ in time",
    "late": "✕ too late",
    "not a shot": "not a shot",
    "left out": "left out",
}
_FOCUS: Final = """for (const wait of [50, 300]) setTimeout(() => {
  if (document.activeElement === document.body) document.querySelector('[data-mark="%s"]')?.focus();
}, wait)"""
_SELECTED: Final = (
    "(e) => { e.preventDefault(); emit(e.target.form.elements.from.value, e.target.form.elements.to.value); }"
)
_SUBMITTED: Final = "(e) => { e.preventDefault(); emit(e.target.elements.from.value, e.target.elements.to.value); }"


@dataclass(frozen=True, slots=True)
class ViewChoice:
    """What a person chose to see: a model, one to compare it with (empty for none), and the position of a part."""

    model: str
    compared: str
    part: int

    def query(self) -> dict[str, str]:
        """Return the query of the page's address, without what is as by default."""
        compare = {"compare": self.compared} if self.compared else {}
        return {"model": self.model, **compare, **({"part": str(self.part + 1)} if self.part else {})}


async def read_part(path: Path, registry: Registry, choice: ViewChoice) -> ScoredRecording:
    """Read and score what was chosen of the recording ``path``. Raises :class:`StingerError`."""
    return await asyncio.to_thread(
        score_stored, path, registry, choice.model, compared=choice.compared, part=choice.part
    )


class RecordingView:
    """Shows ``scored``, a part of the recording ``path``, and follows what others mark meanwhile."""

    def __init__(self, path: Path, registry: Registry, choice: ViewChoice, scored: ScoredRecording) -> None:
        self._choice = choice
        self._path = path
        self._registry = registry
        self._scored = scored
        self._sidecar_state = _state_of(sidecar_path(path))
        self._busy = False
        if scored.hint:
            Text(scored.hint, "p").classes("hint")
        self._chart = RecordingChart(scored, self._show_selected)
        Text("Leave out", "h2")
        self._fields = self._build_stretch_form()
        self._stretches = ui.element("ul").classes("events")
        Text("Shots", "h2")
        self._shots = ui.element("div")
        self._show_marks()
        ui.timer(LOOK_AGAIN_S, self._look_again)

    def _build_stretch_form(self) -> tuple[ui.element, ...]:
        """Return the two fields."""
        Text("Drag over the picture, or type two times. Training and evaluation then use nothing of this stretch.", "p")
        last_s = self._scored.length_ms / 1000
        with ui.element("form").classes("controls") as form:
            fields = []
            for name, label in (("from", "From, s"), ("to", "to, s")):
                with ui.element("label").classes("field"):
                    Text(label)
                    field = ui.element("input").props(
                        f"type=number name={name} min=0 max={last_s:.3f} step=any required"
                    )
                    field.on("change", self._show_typed, js_handler=_SELECTED)
                    fields.append(field)
            Text("Leave it out", "button").classes("plain").props("type=submit")
        form.on("submit", self._leave_out, js_handler=_SUBMITTED)
        return tuple(fields)

    def _show_selected(self, from_ms: int, to_ms: int) -> None:
        for field, time_ms in zip(self._fields, (from_ms, to_ms), strict=True):
            ui.run_javascript(f"getHtmlElement({field.id}).value = '{time_ms / 1000:.3f}'")

    def _show_typed(self, event: Any) -> None:
        times_ms = [_milliseconds(text) for text in event.args]
        self._chart.run_method("choose", *(0 if time_ms is None else time_ms for time_ms in times_ms))

    async def _leave_out(self, event: Any) -> None:
        from_ms, to_ms = (_milliseconds(text) for text in event.args)
        if from_ms is None or to_ms is None:
            ui.notify("Type two times in seconds first, or drag over the picture", type="warning")
            return
        await self._change(lambda marks: marks.leave_out(from_ms, to_ms), "Left out")
        self._chart.run_method("choose", 0, 0)

    async def _change(self, change: Callable[[Marks], Marks], done: str, focus: str = "") -> None:
        """Change the marks, and show them.

        Then set the keyboard's focus to the element with the data-mark ``focus``.
        """
        try:
            await asyncio.to_thread(change_marks, self._path, self._scored.position, change)
        except StingerError as error:
            ui.notify(f"Not done: {error}", type="negative", timeout=8000)
            return
        await self._show_anew()
        with self._shots:  # the button that was pressed is gone
            ui.notify(done, type="positive")
            ui.run_javascript(_FOCUS % focus)

    async def _look_again(self) -> None:
        if not self._busy and _state_of(sidecar_path(self._path)) != self._sidecar_state:
            await self._show_anew()

    async def _show_anew(self) -> None:
        self._busy = True
        state = _state_of(sidecar_path(self._path))
        try:
            scored = await read_part(self._path, self._registry, self._choice)
        except StingerError:  # deleted meanwhile, or damaged: what is shown stays
            return
        finally:
            self._busy = False
            self._sidecar_state = state
        before, self._scored = self._scored, scored
        if scored.marked != before.marked:
            self._chart.show_marks(scored)
            self._show_marks()

    def _show_marks(self) -> None:
        self._stretches.clear()
        with self._stretches:
            for from_ms, to_ms in self._scored.marked.left_out:
                with ui.element("li").classes("controls"):
                    text = f"{from_ms / 1000:.2f} to {to_ms / 1000:.2f} s"
                    Text(text)
                    plain_button(
                        "Show", partial(self._chart.show, (from_ms + to_ms) / 2, _span_s(from_ms, to_ms))
                    ).props["aria-label"] = f"Show {text}"
                    use = partial(self._change, partial(_used_again, from_ms=from_ms, to_ms=to_ms), "Used again")
                    plain_button("Use again", use).props["aria-label"] = f"Use {text} again"
        self._shots.clear()
        with self._shots:
            self._build_shots()

    def _build_shots(self) -> None:
        scored = self._scored
        rows = [(position, mark) for position, mark in enumerate(scored.first.shots) if mark.kind in _VERDICTS]
        if not rows:
            Text("None.", "p")
            return
        for number, model in enumerate(scored.models):
            kinds = [mark.kind for mark in model.shots]
            in_time = kinds.count("in time")
            which = f"with {self._choice.compared}" if number else "with this model, as the daemon would have decided"
            Text(f"{in_time} of {in_time + kinds.count('late')} in time {which}.", "p")
        if len(rows) > _SHOTS_LISTED:
            Text(f"The first {_SHOTS_LISTED:,} are listed.", "p")
        frame = ui.element("div").classes("scroll shots").props('tabindex=0 role=region aria-label="Table of shots"')
        with frame, ui.element("table"):
            with ui.element("thead"), ui.element("tr"):
                for name in ("Shot", *(f"With {self._choice.compared}" for _ in scored.models[1:]), "Mark"):
                    Text(name, "th").props("scope=col")
            with ui.element("tbody"):
                for number, (position, mark) in enumerate(rows[:_SHOTS_LISTED], start=1):
                    self._build_shot(number, position, mark)

    def _build_shot(self, number: int, position: int, mark: StillMark) -> None:
        with ui.element("tr"):
            with ui.element("td"):
                text = f"{number}: {length_text(mark.time_ms / 1000)} {_verdict(mark)}"
                plain_button(text, partial(self._chart.show, mark.time_ms, _SHOT_SPAN_S))
            for model in self._scored.models[1:]:
                Text(_verdict(model.shots[position]), "td")
            with ui.element("td"):
                at, key = int(mark.time_ms), f"shot-{int(mark.time_ms)}"
                if mark.kind == "not a shot":
                    change = partial(self._change, lambda marks: marks.mark_shot(at), "A shot again", key)
                    button = plain_button("A shot after all", change)
                    button.props["aria-label"] = f"Mark {number} as a shot after all"
                else:
                    change = partial(self._change, lambda marks: marks.mark_not_shot(at), "Marked as no shot", key)
                    button = plain_button("Not a shot", change)
                    button.props["aria-label"] = f"Mark {number} as not a shot"
                button.props["data-mark"] = key


def _verdict(mark: StillMark) -> str:
    lead = (
        f", wheels on for {mark.lead_ms:.0f} ms"
        if mark.lead_ms is not None and mark.kind in ("in time", "late")
        else ""
    )
    return f"{_VERDICTS[mark.kind]}{lead}"


def _used_again(marks: Marks, *, from_ms: int, to_ms: int) -> Marks:
    return marks.use_again(from_ms, to_ms)


def _span_s(from_ms: int, to_ms: int) -> int:
    """Return the shortest of the spans that the picture offers in which a stretch fits, in seconds; 0 for all."""
    return next((span for span in (5, 10, 30, 120) if 1000 * span >= 1.2 * (to_ms - from_ms)), 0)


def _milliseconds(text: object) -> int | None:
    """Return ``text``, a number of seconds, in ms; ``None`` for anything else."""
    try:
        return round(1000 * float(str(text)))
    except (ValueError, OverflowError):
        return None


def _state_of(path: Path) -> tuple[int, int] | None:
    """Return a value that differs once ``path`` is replaced."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino
