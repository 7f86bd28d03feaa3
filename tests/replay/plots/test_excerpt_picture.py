"""Pictures of excerpts: a shot, a rejected edge and the end of a lead without a shot look different, and legends fit."""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.legend import Legend

from replay.plots.excerpt import Excerpt
from replay.plots.excerpt_picture import ExcerptLook, ExcerptPicture, Moment
from replay.plots.style import MODEL_LINES, REJECTED_LINE, THRESHOLD_LINE

BLACK, PURPLE, SHADE = (0, 0, 0), (0xCC, 0x79, 0xA7), (250, 245, 190)


def excerpt(*, models: int = 1, accepted: list[float] | None = None, rejected: list[float] | None = None) -> Excerpt:
    times = np.array([-1.0, 0.2])
    return Excerpt(
        "title",
        times,
        np.zeros((2, 6)),
        times,
        np.full((2, models), 0.3),
        np.array(accepted or []),
        np.array(rejected or []),
    )


def picture(
    moment: Moment, *, models: tuple[str, ...] = ("mlp:rich",), thresholds: tuple[float, ...] = ()
) -> ExcerptPicture:
    window = {"shot": "label window", "rejected edge": None, "end of the lead": "negative window"}[moment]
    return ExcerptPicture(
        ExcerptLook(
            dpi=100,
            from_s=-1,
            to_s=0.2,
            window_s=(-0.6, -0.1),
            moment=moment,
            window=window,
            models=models,
            thresholds=thresholds,
        )
    )


def has(pixels: npt.NDArray[np.uint8], colour: tuple[int, int, int], *, at_least: int, within: int = 3) -> bool:
    """Whether some column of pixels is of about ``colour`` in ``at_least`` rows."""
    near = (np.abs(pixels[..., :3].astype(int) - colour) <= within).all(axis=2)
    return bool(near.sum(axis=0).max() >= at_least)


@pytest.mark.parametrize(
    ("moment", "black", "purple", "shaded"),
    [
        ("shot", True, False, True),
        ("rejected edge", False, True, False),
        ("end of the lead", False, False, True),
    ],
)
def test_each_kind_of_moment_has_its_own_look(moment: Moment, black: bool, purple: bool, shaded: bool) -> None:
    # The data area, away from frames, titles and the text at the left.
    pixels = picture(moment).draw(excerpt())[80:-60, 80:-5]
    assert has(pixels, BLACK, at_least=250, within=90) == black
    assert has(pixels, PURPLE, at_least=60, within=40) == purple
    assert has(pixels, SHADE, at_least=100, within=8) == shaded


def legends_of(made: ExcerptPicture, drawn: Excerpt) -> list[list[str]]:
    made.draw(drawn)
    figure = made._picture.figure
    legends = [a for panel in figure.axes for a in panel.get_children() if isinstance(a, Legend) and a.get_visible()]
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]  # matplotlib's stubs leave it out
    boxes = [legend.get_window_extent(renderer) for legend in legends]
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.width and box.y1 <= figure.bbox.height for box in boxes)
    for i, box in enumerate(boxes):
        assert not any(box.shrunk(0.9, 0.6).overlaps(other.shrunk(0.9, 0.6)) for other in boxes[i + 1 :])
    return [[text.get_text() for text in legend.get_texts()] for legend in legends]


@pytest.mark.parametrize(("accepted", "rejected"), list(product([[], [-0.5]], repeat=2)))
def test_legend_names_the_other_shots_that_are_there_and_no_others(
    accepted: list[float], rejected: list[float]
) -> None:
    legends = legends_of(picture("end of the lead"), excerpt(accepted=accepted, rejected=rejected))
    names = {name for legend in legends for name in legend}
    assert ("shot" in names) == bool(accepted)
    assert ("rejected edge" in names) == bool(rejected)


@pytest.mark.parametrize("models", [("m" * 200, "n" * 200), tuple(f"model number {i}:rich" for i in range(12))])
def test_legend_of_long_or_many_names_stays_within_the_picture(models: tuple[str, ...]) -> None:
    legends_of(picture("shot", models=models), excerpt(models=len(models), accepted=[-0.5], rejected=[-0.4]))


def test_no_model_looks_like_what_is_marked_across_the_panels() -> None:
    assert REJECTED_LINE["color"] not in {colour for colour, _ in MODEL_LINES}


def test_a_dozen_models_of_one_picture_all_look_different() -> None:
    assert len(set(MODEL_LINES)) == len(MODEL_LINES) == 12


@pytest.mark.parametrize(
    ("thresholds", "lines"),
    [
        ((0.5, 0.5), [(0.5, "threshold 0.5", THRESHOLD_LINE["color"])]),
        ((0.3, 0.16), [(0.3, "threshold 0.3", MODEL_LINES[0][0]), (0.16, "threshold 0.16", MODEL_LINES[1][0])]),
    ],
)
def test_the_thresholds_of_the_models_are_dashed_lines(
    thresholds: tuple[float, ...], lines: list[tuple[float, str, str]]
) -> None:
    made = picture("shot", models=("a", "b"), thresholds=thresholds)
    panel = made._picture.figure.axes[-1]
    drawn = [line for line in panel.get_lines() if str(line.get_label()).startswith("threshold")]
    assert [(np.ravel(line.get_ydata())[0], line.get_label(), line.get_color()) for line in drawn] == lines
