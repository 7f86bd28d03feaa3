"""The options for choosing negatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Final, TypeVar

import click

from models.negatives import NegativeOptions
from stinger.cli.options import FiniteRange, Milliseconds

_PREFIX: Final = "neg_"
_SHAPES: Final[Mapping[str, tuple[dict[str, Any], str]]] = {
    "strategy": (
        {"type": click.Choice(["far", "near", "mixed"])},
        "Take negatives from anywhere (far), from shortly before shots (near), or from both (mixed).",
    ),
    "mixed_near_frac": (
        {"type": FiniteRange(0, 1)},
        "With mixed: fraction of the negatives that are near ones.",
    ),
    "mult": ({"type": click.IntRange(1, 10_000)}, "Number of negatives per positive."),
    "min_motion_quantile": (
        {"type": FiniteRange(0, 1)},
        "Leave out this fraction of the candidates, those with the least motion.",
    ),
    "match_pos_motion": ({"is_flag": True}, "Take only negatives with as much motion as positives."),
    "pos_motion_q": (
        {"type": FiniteRange(0, 0.5)},
        "With --neg-match-pos-motion: allow motion between this quantile of the positives' motion and 1 minus it.",
    ),
    "min_sep_ms": ({"type": Milliseconds()}, "Minimum time between the ends of two negatives."),
    "with_replacement": (
        {"is_flag": True},
        "Draw three times as many as needed, with replacement, then apply the minimum separation.",
    ),
    "near_min_ms": (
        {"type": Milliseconds()},
        "Minimum time from the end of a near negative to the start of a positive window.",
    ),
    "near_max_ms": (
        {"type": Milliseconds()},
        "Maximum time from the end of a near negative to the start of a positive window.",
    ),
    "avoid_post_ms": ({"type": Milliseconds()}, "No negative ends within this time after a trigger edge."),
    "avoid_edges": (
        {"type": click.Choice(["accepted", "all"])},
        "Trigger edges around which there are no negatives: accepted shots or all.",
    ),
}

_Command = TypeVar("_Command", bound=Callable[..., Any])


def negative_options(defaults: NegativeOptions) -> Callable[[_Command], _Command]:
    """Return a decorator that adds a ``--neg-...`` option for each field of :class:`NegativeOptions`.

    Their defaults are ``defaults``.
    """

    def decorate(command: _Command) -> _Command:
        for field in reversed(fields(NegativeOptions)):
            shape, explanation = _SHAPES[field.name]
            flag = f"--{_PREFIX}{field.name}".replace("_", "-")
            declaration = f"{flag}/{flag.replace('--neg-', '--neg-no-')}" if shape.get("is_flag") else flag
            default = getattr(defaults, field.name)
            shown = ("on" if default else "off") if shape.get("is_flag") else True
            option = click.option(declaration, default=default, show_default=shown, help=explanation, **shape)
            command = option(command)
        return command

    return decorate


def negatives_of(values: Mapping[str, Any]) -> NegativeOptions:
    """Return the options for negatives among the ``values`` of a command, by the names of its parameters."""
    own = {name.removeprefix(_PREFIX): value for name, value in values.items() if name.startswith(_PREFIX)}
    return NegativeOptions(**own)
