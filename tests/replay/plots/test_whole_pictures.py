"""What the pictures of whole recordings and training sets show: units, marks, shares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import same_color

from models.sessions import Session
from replay.plots.histogram import draw_histogram
from replay.plots.overview import draw_dataset
from replay.plots.style import BLACK, PURPLE, Picture
from stinger.files import StrPath
from stinger.recording import split_recordings
from stinger.shots import find_shots
from tests.helpers.samples import samples_at
from tests.models.datasets import make_dataset


@pytest.fixture
def panels(monkeypatch: pytest.MonkeyPatch) -> list[Axes]:
    """The panels of the picture that the test draws, which is not written."""
    found: list[Axes] = []

    def keep(picture: Picture, path: StrPath) -> None:
        del path
        found.extend(picture.figure.axes)

    monkeypatch.setattr(Picture, "save", keep)
    return found


def marks(panel: Axes, colour: str) -> list[float]:
    """Where lines of ``colour`` stand across ``panel``."""
    return [
        float(segment[0][0])
        for lines in panel.collections
        if isinstance(lines, LineCollection) and same_color(np.asarray(lines.get_colors())[0], colour)
        for segment in lines.get_segments()
    ]


def test_dataset_is_in_g_and_degrees_a_second_with_both_kinds_of_edges(panels: list[Axes], tmp_path: Path) -> None:
    trigger = np.zeros(300)
    for pull in (50, 80, 200):
        trigger[pull : pull + 5] = 1
    channels = np.tile([2048, -4096, 0, 16384, -8192, 0], (300, 1))
    (recording,) = split_recordings(samples_at(5000 + np.arange(300) * 10, trigger=trigger, channels=channels))
    session = Session("log", recording, find_shots(recording), 0)
    draw_dataset([session], tmp_path / "dataset.png", title="log", dpi=50, max_points=1000)
    strip, *axes = panels
    drawn = {panel.get_ylabel(): np.nanmax(np.abs(panel.get_lines()[0].get_ydata())) for panel in axes}
    expected = {"ax (g)": 1, "ay (g)": 2, "az (g)": 0, "gx (°/s)": 1000, "gy (°/s)": 500, "gz (°/s)": 0}
    assert drawn == pytest.approx(expected)
    assert marks(strip, BLACK) == pytest.approx([0.5, 2.0])
    assert marks(strip, PURPLE) == pytest.approx([0.8])


def test_histogram_shows_the_share_of_each_class_in_percent(panels: list[Axes], tmp_path: Path) -> None:
    dataset = make_dataset(shots=8, negatives_a_shot=2)
    probability = np.where(dataset.labels == 1, 0.99, 0.01)[:, None]
    probability[:2] = 0.01
    draw_histogram(dataset, probability, ["m"], tmp_path / "h.png", title="t", threshold=0.5, dpi=50)
    (panel,) = panels
    shares = {str(steps.get_label()): steps.get_data().values for steps in panel.patches}  # type: ignore[attr-defined]  # StepPatch
    assert (shares["16 negative"][0], shares["8 positive"][0], shares["8 positive"][-1]) == (100, 25, 75)
