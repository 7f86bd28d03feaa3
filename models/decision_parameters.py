"""The parameters of the decision: levels of the envelope, its speed, and the age at which an output is stale.

Source of the defaults: the Stinger firmware.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final

from models.threshold import parse_threshold
from stinger.errors import InputError
from stinger.json_number import finite_number
from stinger.sample import SAMPLE_RATE_HZ

SMALLEST_HYSTERESIS: Final = 0.01
"""``off`` is at least this far below ``on``."""
STEP_MS: Final = 1000 // SAMPLE_RATE_HZ
"""The envelope is updated at this interval, with or without a new sample."""
SHORTEST_STALE_MS: Final = 2 * STEP_MS
LONGEST_STALE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class DecisionParameters:
    """When wheels go on and off. Raises :class:`InputError` for values outside the ranges below.

    ``on`` (0.05 to 0.95) and ``off`` (0 to ``on`` - 0.01) are levels of the envelope; ``off`` defaults to half of
    ``on``. ``attack`` and ``release`` (above 0, at most 1) are the fraction of the distance to the probability that the
    envelope moves in a step, up and down. After ``stale_ms`` (20 ms to a minute) without an output the wheels go off.

    >>> DecisionParameters(on=0.4)
    DecisionParameters(on=0.4, off=0.2, attack=0.18, release=0.03, stale_ms=250)
    """

    on: float = 0.50
    off: float = math.nan
    attack: float = 0.18
    release: float = 0.03
    stale_ms: int = 250

    def __post_init__(self) -> None:
        try:
            parse_threshold(self.on)
        except InputError as error:
            raise InputError(f"the threshold: {error}") from None
        if math.isnan(self.off):
            object.__setattr__(self, "off", self.on / 2)
        # The tolerance accepts 0.49 below 0.50, whose difference is not 0.01 to the last bit.
        if not 0 <= self.off <= self.on - SMALLEST_HYSTERESIS + 1e-12:
            raise InputError(
                f"wheels that go on at {self.on:g} cannot go off at {self.off:g}: expected 0 to "
                f"{self.on - SMALLEST_HYSTERESIS:g}"
            )
        for name in ("attack", "release"):
            value = getattr(self, name)
            if not 0 < value <= 1:
                raise InputError(f"the {name} is {value:g}: expected above 0 and at most 1")
        if not SHORTEST_STALE_MS <= self.stale_ms <= LONGEST_STALE_MS:
            raise InputError(
                f"an output is stale after {self.stale_ms} ms: expected {SHORTEST_STALE_MS} to {LONGEST_STALE_MS}"
            )

    def at(self, on: float) -> DecisionParameters:
        """Return these parameters with the threshold ``on``, and ``off`` at half of it."""
        return replace(self, on=on, off=math.nan)

    def to_json(self) -> dict[str, float]:
        """Return the values by field name; :meth:`from_json` is the inverse."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> DecisionParameters:
        """Build parameters from the result of :meth:`to_json`; missing fields get their defaults.

        Raises :class:`InputError` for an unknown name, and for a value of another type or out of range.
        """
        known = {field.name: field.type for field in fields(cls)}
        for name, value in values.items():
            if name not in known:
                raise InputError(f"there is no decision parameter '{name}': expected {', '.join(known)}")
            whole = known[name] == "int"
            too_long = isinstance(value, int) and finite_number(value) is None
            if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or too_long:
                raise InputError(f"the decision parameter {name} is {value!r:.60}: expected a {'whole ' * whole}number")
        return cls(**values)
