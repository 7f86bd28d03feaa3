from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from replay.evaluation.contest import Contest
from replay.evaluation.contest_picture import draw_contest
from replay.evaluation.cost import CostWeights
from replay.evaluation.cost_choice import Budget
from replay.evaluation.verdict import Rules, Verdict, judge
from tests.replay.evaluation.contests import contender, contest_of

BUDGET = Budget(max_false_per_minute=2, max_duty=0.5)
RULES = Rules(CostWeights(), BUDGET, confidence=0.95)
OLD = contender("20260131T170203.456Z-mlp-rich", (40, 50, 5), (0, 0, 3), (9, 10, 0))
NEW = contender("et:rich", (45, 50, 5), (0, 0, 1), (10, 10, 0))


@pytest.mark.parametrize(
    "contest",
    [
        contest_of(OLD, NEW),
        contest_of(contender("factory", (40, 50, 90), (0, 0, 60), (9, 10, 0), within=None), NEW),
        contest_of(OLD, contender("et:rich", (40, 50, 90), (0, 0, 60), (9, 10, 0), within=None)),
        contest_of(OLD, failed={"et:rich": "too large"}),
        contest_of(contender("old", *[(4, 5, 1)] * 40), contender("new", *[(5, 5, 1)] * 40)),
    ],
)
def test_every_contest_can_be_drawn(contest: Contest, tmp_path: Path) -> None:
    draw_contest(contest, judge(contest, RULES), BUDGET, tmp_path / "contest.png", title="Retraining", dpi=50)
    with Image.open(tmp_path / "contest.png") as image:
        assert image.size == (400, 460)
        assert image.getextrema() == ((0, 255),) * 3


def test_rival_is_drawn_beside_the_champion(tmp_path: Path) -> None:
    contest = contest_of(OLD, NEW)
    pictures = []
    for name, verdict in (("with", judge(contest, RULES)), ("without", Verdict(None, ()))):
        draw_contest(contest, verdict, BUDGET, tmp_path / name, title="t", dpi=50)
        with Image.open(tmp_path / name) as image:
            pictures.append(np.asarray(image))
    different = np.flatnonzero((pictures[0] != pictures[1]).any(axis=(1, 2)))
    assert different.size
    # The difference of cost in the uppermost panel, and the rival in the lowest one and its legend.
    assert not ((different > 110) & (different < 270)).any()
    assert different.min() < 110
    assert different.max() > 270
