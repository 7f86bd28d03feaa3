"""The record of a run as JSON.

Every report is made from it, and an older one serves as the baseline of a new run.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from types import UnionType
from typing import Any, Final, TypeVar, get_args, get_origin, get_type_hints

from hil.limits import Limit, Verdict
from stinger.errors import InputError

SCHEMA_VERSION: Final = 1
ARRIVAL_JITTER_STAGE: Final = "sample: read, later than the fastest"
"""The stage of a device without a journal: how much later than the fastest sample each was read."""

_RENAMED_STAGES: Final = {"sample: beyond the quickest, to read": ARRIVAL_JITTER_STAGE}
"""Names of stages in older records of the same schema."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Measurement:
    """A named value in ``unit``, ``None`` if it was not measured.

    Without a limit it is for information, without verdict.
    """

    name: str
    unit: str
    value: float | None
    limit: Limit | None = None
    note: str = ""

    @property
    def verdict(self) -> Verdict | None:
        """The limit's verdict on the value; ``None`` without a limit."""
        return None if self.limit is None else self.limit.judge(self.value)


@dataclass(frozen=True, slots=True)
class Latency:
    """The latency of one stage, such as ``sample: read to scored``, as a histogram; all times in microseconds.

    ``floor``: measured on the same path without a daemon. ``uncertainty_us`` is set where the two ends share no clock.
    ``buckets`` are pairs of (upper end, count), ascending, without empty ones.
    """

    stage: str
    count: int
    p50_us: float | None
    p90_us: float | None
    p99_us: float | None
    p99_9_us: float | None
    max_us: float | None
    buckets: Sequence[tuple[float, int]] = ()
    corrected: bool = False
    """Corrected for coordinated omission, by the device's schedule."""
    floor: bool = False
    uncertainty_us: float | None = None


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """Something that happened, in seconds after the scenario began.

    ``kind`` is ``fault``, ``recovery`` or ``event``.
    """

    at_s: float
    kind: str
    what: str
    until_s: float | None = None
    device: str = ""


@dataclass(frozen=True, slots=True)
class ScenarioRecord:
    """The results of one scenario.

    ``why`` is the reason if it was skipped, was inconclusive, or could not run to its end.
    """

    name: str
    title: str
    dut: str
    """The device under test, as ``--dut`` names it."""
    seed: int
    started_s: float
    """When it started, after the start of the run."""
    duration_s: float
    verdict: Verdict
    why: str = ""
    measurements: Sequence[Measurement] = ()
    latencies: Sequence[Latency] = ()
    timeline: Sequence[TimelineEntry] = ()


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A whole run.

    ``environment`` holds kernel, Python, serial adapter, commit, model and more; ``None`` if unknown.
    """

    started: str
    """UTC, ISO 8601."""
    duration_s: float
    verdict: Verdict
    environment: dict[str, str | float | None] = field(default_factory=dict)
    scenarios: Sequence[ScenarioRecord] = ()

    def to_json(self) -> str:
        """Return the record as JSON; infinity and NaN become ``null``."""
        return json.dumps({"schema": SCHEMA_VERSION, **_finite(asdict(self))}, indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str, *, name: str) -> RunRecord:
        """Return the record that :meth:`to_json` wrote as ``text``. ``name`` names its file in errors.

        Raises :class:`InputError` if it is not such a record, or one of another schema version.
        """
        try:
            values = json.loads(text)
            version = values.pop("schema")
        except (ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
            raise InputError(f"{name}: not a record of 'stinger hil run'") from error
        if version != SCHEMA_VERSION:
            raise InputError(f"{name}: a record of schema {version!r}, but this version reads schema {SCHEMA_VERSION}")
        try:
            return _run(values)
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise InputError(f"{name}: the record is incomplete or has a value of the wrong type ({error})") from error


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _run(values: dict[str, Any]) -> RunRecord:
    scenarios = [_scenario(each) for each in values.pop("scenarios")]
    return _typed(RunRecord, values | {"verdict": Verdict(values["verdict"]), "scenarios": scenarios})


def _scenario(values: dict[str, Any]) -> ScenarioRecord:
    read = {
        "verdict": Verdict(values["verdict"]),
        "measurements": [_measurement(each) for each in values["measurements"]],
        "latencies": [_latency(each) for each in values["latencies"]],
        "timeline": [_typed(TimelineEntry, each) for each in values["timeline"]],
    }
    return _typed(ScenarioRecord, values | read)


def _latency(values: dict[str, Any]) -> Latency:
    stage = values["stage"]
    read = {
        "stage": _RENAMED_STAGES.get(stage, stage) if isinstance(stage, str) else stage,
        "buckets": [(float(end), int(count)) for end, count in values["buckets"]],
    }
    return _typed(Latency, values | read)


def _measurement(values: dict[str, Any]) -> Measurement:
    limit = values["limit"]
    return _typed(Measurement, values | {"limit": None if limit is None else _typed(Limit, limit)})


def _typed(kind: Callable[..., _T], values: dict[str, Any]) -> _T:
    """Return a ``kind`` with these field values. Raises :class:`TypeError` for a value of another type than its field."""
    hints = _hints(kind)
    for name, value in values.items():
        if name in hints and not _has_type(value, hints[name]):
            raise TypeError(f"{name} cannot be {value!r:.40}")
    return kind(**values)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _has_type(value: Any, hint: Any) -> bool:
    """Return whether ``value`` has the type ``hint``; the items of a sequence have been checked before."""
    if isinstance(hint, UnionType):
        return any(_has_type(value, each) for each in get_args(hint))
    kind = get_origin(hint) or hint
    if kind is dict:
        return isinstance(value, dict) and all(_has_type(each, get_args(hint)[1]) for each in value.values())
    if isinstance(value, bool) or kind is bool:
        return kind is bool and isinstance(value, bool)
    if kind is float:
        return isinstance(value, int | float) and math.isfinite(value)
    return isinstance(value, kind)
