"""The rules of a comparison, from the configuration."""

from __future__ import annotations

from replay.evaluation.cost import CostWeights
from replay.evaluation.cost_choice import Budget
from replay.evaluation.verdict import Rules
from service.config.retraining import RetrainConfig


def rules_of(settings: RetrainConfig) -> Rules:
    """Return the rules that ``settings`` describe."""
    return Rules(
        weights=CostWeights(settings.cost_missed_shot, settings.cost_false_spin_up, settings.cost_minute_on),
        budget=Budget(settings.max_false_per_minute, settings.max_duty),
        confidence=settings.confidence,
        seed=settings.seed,
    )
