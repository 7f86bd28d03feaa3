"""The record of a run: every report is made from it, and an old one is the baseline of a new run."""

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

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Measurement:
    """``value`` in ``unit``; ``None`` where it could not be known. One without a limit informs, and has no verdict."""

    name: str
    unit: str
    value: float | None
    limit: Limit | None = None
    note: str = ""

    @property
    def verdict(self) -> Verdict | None:
        """What the limit says of the value."""
        return None if self.limit is None else self.limit.judge(self.value)


@dataclass(frozen=True, slots=True)
class Latency:
    """A histogram of one stage, such as ``emitted to received``; all times in microseconds.

    ``floor`` says that no daemon was between. ``uncertainty_us`` is there where the two ends have no clock in common.
    ``buckets`` are (upper end, count) pairs, ascending, without empty ones.
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
    """For coordinated omission, by the schedule of the device."""
    floor: bool = False
    uncertainty_us: float | None = None


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """What happened when, in seconds after the scenario began: ``kind`` is ``fault``, ``recovery`` or ``event``."""

    at_s: float
    kind: str
    what: str
    until_s: float | None = None
    device: str = ""


@dataclass(frozen=True, slots=True)
class ScenarioRecord:
    """What one scenario measured. ``why`` says what stopped it, made it inconclusive or had it skipped, if something did."""

    name: str
    title: str
    dut: str
    seed: int
    started_s: float
    """After the run began."""
    duration_s: float
    verdict: Verdict
    why: str = ""
    measurements: Sequence[Measurement] = ()
    latencies: Sequence[Latency] = ()
    timeline: Sequence[TimelineEntry] = ()


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A whole run; ``environment`` tells kernel, Python, adapter, commit, model and the like; an unknown one is ``None``."""

    started: str
    """UTC, ISO 8601."""
    duration_s: float
    verdict: Verdict
    environment: dict[str, str | float | None] = field(default_factory=dict)
    scenarios: Sequence[ScenarioRecord] = ()

    def to_json(self) -> str:
        """The record as text; what is not finite becomes ``null``."""
        return json.dumps({"schema": SCHEMA_VERSION, **_finite(asdict(self))}, indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str, *, name: str) -> RunRecord:
        """The record that :meth:`to_json` wrote. ``name`` is whose text it is, for errors.

        Raises :class:`InputError` if it is not one, or of a newer schema.
        """
        try:
            values = json.loads(text)
            version = values.pop("schema")
        except (ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
            raise InputError(f"{name}: not a record of 'stinger hil run'") from error
        if version != SCHEMA_VERSION:
            raise InputError(f"{name}: a record of schema {version!r}, and this version reads {SCHEMA_VERSION}")
        try:
            return _run(values)
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise InputError(f"{name}: a record with a part missing or of a wrong type ({error})") from error


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
        "latencies": [
            _typed(Latency, each | {"buckets": [(float(end), int(count)) for end, count in each["buckets"]]})
            for each in values["latencies"]
        ],
        "timeline": [_typed(TimelineEntry, each) for each in values["timeline"]],
    }
    return _typed(ScenarioRecord, values | read)


def _measurement(values: dict[str, Any]) -> Measurement:
    limit = values["limit"]
    return _typed(Measurement, values | {"limit": None if limit is None else _typed(Limit, limit)})


def _typed(kind: Callable[..., _T], values: dict[str, Any]) -> _T:
    """A ``kind`` of these. Raises :class:`TypeError` for a value that is of another type than its field."""
    hints = _hints(kind)
    for name, value in values.items():
        if name in hints and not _fits(value, hints[name]):
            raise TypeError(f"{name} cannot be {value!r:.40}")
    return kind(**values)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value is of a type; what a sequence holds was looked at before."""
    if isinstance(hint, UnionType):
        return any(_fits(value, each) for each in get_args(hint))
    kind = get_origin(hint) or hint
    if kind is dict:
        return isinstance(value, dict) and all(_fits(each, get_args(hint)[1]) for each in value.values())
    if isinstance(value, bool) or kind is bool:
        return kind is bool and isinstance(value, bool)
    if kind is float:
        return isinstance(value, int | float) and math.isfinite(value)
    return isinstance(value, kind)
