from __future__ import annotations

from models.factory.recipe import SEEDS
from service.cli import demo


def test_demo_plays_sessions_that_the_factory_model_has_not_learned_from() -> None:
    assert not {demo._SEED, demo._LOG_SEED} & set(SEEDS)
