"""The options that say how negatives are chosen."""

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
        "Negatives from anywhere, from shortly before shots, or some of each.",
    ),
    "mixed_near_frac": (
        {"type": FiniteRange(0, 1)},
        "With mixed: the part of the negatives that is taken from shortly before shots.",
    ),
    "mult": ({"type": click.IntRange(1, 10_000)}, "So many negatives for each positive."),
    "min_motion_quantile": (
        {"type": FiniteRange(0, 1)},
        "Part of the candidates, those that move least, to leave out.",
    ),
    "match_pos_motion": ({"is_flag": True}, "Only negatives that move as much as positives do."),
    "pos_motion_q": (
        {"type": FiniteRange(0, 0.5)},
        "With --neg-match-pos-motion: from this quantile of the positives to 1 minus it.",
    ),
    "min_sep_ms": ({"type": Milliseconds()}, "The ends of two negatives lie at least so far apart."),
    "with_replacement": ({"is_flag": True}, "Draw three times as many as wanted, with replacement, then thin them."),
    "near_min_ms": ({"type": Milliseconds()}, "A near negative ends at least so long before a positive window starts."),
    "near_max_ms": ({"type": Milliseconds()}, "A near negative ends at most so long before a positive window starts."),
    "avoid_post_ms": ({"type": Milliseconds()}, "No negative ends within so long after a trigger edge."),
    "avoid_edges": ({"type": click.Choice(["accepted", "all"])}, "Which trigger edges negatives keep away from."),
}

_Command = TypeVar("_Command", bound=Callable[..., Any])


def negative_options(defaults: NegativeOptions) -> Callable[[_Command], _Command]:
    """Give a command a ``--neg-...`` option for each field of :class:`NegativeOptions`, with these defaults."""

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
    """What the options of :func:`negative_options` were set to."""
    return NegativeOptions(**{name.removeprefix(_PREFIX): value for name, value in values.items()})
