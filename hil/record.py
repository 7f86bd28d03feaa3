"""The record of a run: every report is made from it, and an old one is the baseline of a new run."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from hil.limits import Limit, Verdict
from stinger.errors import InputError

SCHEMA_VERSION: Final = 1


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
class Moment:
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
    timeline: Sequence[Moment] = ()


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
        except (AttributeError, KeyError, TypeError, ValueError) as error:
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
    return RunRecord(**values | {"verdict": Verdict(values["verdict"])}, scenarios=scenarios)


def _scenario(values: dict[str, Any]) -> ScenarioRecord:
    read = {
        "verdict": Verdict(values["verdict"]),
        "measurements": [_measurement(each) for each in values["measurements"]],
        "latencies": [
            Latency(**each | {"buckets": [(float(end), int(count)) for end, count in each["buckets"]]})
            for each in values["latencies"]
        ],
        "timeline": [Moment(**each) for each in values["timeline"]],
    }
    return ScenarioRecord(**values | read)


def _measurement(values: dict[str, Any]) -> Measurement:
    limit = values["limit"]
    return Measurement(**values | {"limit": None if limit is None else Limit(**limit)})
