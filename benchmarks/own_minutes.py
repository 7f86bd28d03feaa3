"""What 2, 5 and 10 minutes of a person's own recording add to a model that was trained on others.

For recordings of several people, a file each. Of each person with more than 12.6 minutes, models are tested on the last
2.5 minutes, with own minutes from the beginning, and on the first 2.5, with own minutes from the end. They are trained
on everyone else, on the own minutes alone, or on both, where a row of the person's counts as much as several of others.
The weight for a person is the one with the highest average precision on all other people. Run, on files that hold one
person each:

python -m benchmarks.own_minutes [--spec mlp:rich] FILE...
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from threadpoolctl import threadpool_limits

from models.decision_parameters import DecisionParameters
from models.folds import GUARD_MS, slice_session
from models.model_file import Model
from models.model_meta import ModelMeta, now_utc, software
from models.row_options import fit_options
from models.saving import fit_model
from models.scorer import score_recording
from models.sessions import Session
from models.spec import parse_spec
from models.stream_rows import StreamOptions
from models.training_rows import BaseRows, TrainingRows, build_training_rows, join_with_base, row_rule
from replay.evaluation.data import evaluation_data
from replay.evaluation.evaluate import Evaluation, average_precision
from replay.evaluation.sweep import FINE_STEPS, sweep, thresholds
from replay.trace import Trace
from stinger.logs import read_log

MINUTES: Final = (2, 5, 10)
TESTED_MINUTES: Final = 2.5
WEIGHTS: Final = (1.0, 4.0, 16.0, 64.0)
OPTIONS: Final = StreamOptions(max_rows=50_000)

Traces = dict[tuple[str, str], Trace]
"""By person and by which end of the recording is tested."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One end of a person's recording to test on, and the minutes at the other end, the nearest to it last."""

    person: str
    end: str
    tested: Session
    own: dict[int, Session]


def parts_of(session: Session) -> list[Part]:
    """Return both ends of ``session``; none if it is too short for the longest of :data:`MINUTES`."""
    minutes = session.recording.recorded_ms / 60_000
    if minutes < max(MINUTES) + TESTED_MINUTES + GUARD_MS / 60_000:
        return []
    count = len(session.recording)
    a_minute = count / minutes
    tested = round(TESTED_MINUTES * a_minute)
    own = {m: round(m * a_minute) for m in MINUTES}
    return [
        Part(
            session.name,
            "last",
            slice_session(session, count - tested, count),
            {m: slice_session(session, 0, length) for m, length in own.items()},
        ),
        Part(
            session.name,
            "first",
            slice_session(session, 0, tested),
            {m: slice_session(session, count - length, count) for m, length in own.items()},
        ),
    ]


class Trainer:
    """Trains models of one kind on own rows, on those of others, or on both."""

    def __init__(self, spec: str, sessions: Sequence[Session]) -> None:
        self._spec = parse_spec(spec)
        self._rows = {one.name: self.rows_of(one, sessions) for one in sessions}

    def rows_of(self, session: Session, thinned_with: Sequence[Session]) -> TrainingRows:
        """Return the rows of ``session``, thinned as those of all of ``thinned_with``."""
        return build_training_rows(self._spec.feature_sets, row_rule(thinned_with, OPTIONS), session)

    def others_of(self, person: str) -> tuple[TrainingRows, ...]:
        """Return the rows of everyone but ``person``."""
        return tuple(rows for name, rows in self._rows.items() if name != person)

    def fit(self, rows: Sequence[TrainingRows], base: BaseRows | None) -> Model:
        """Train on ``rows`` and ``base``."""
        inputs, labels, weights = join_with_base(rows, base, self._spec.feature_sets)
        meta = ModelMeta(spec=str(self._spec), software=software(), created=now_utc(), lead_ms=OPTIONS.lead_ms)
        with threadpool_limits(1):
            model, _ = fit_model(inputs, labels, meta, seed=1, weights=weights, options=fit_options(OPTIONS))
        return model


def measure(spec: str, sessions: Sequence[Session]) -> tuple[dict[str, Traces], dict[tuple[int, float], Traces]]:
    """Return the traces without and with own minutes: by the name of the condition, and by minutes and weight."""
    trainer = Trainer(spec, sessions)
    simple: dict[str, Traces] = {"others": {}, **{f"own {m}": {} for m in MINUTES}}
    weighted: dict[tuple[int, float], Traces] = {(m, w): {} for m in MINUTES for w in WEIGHTS}
    for session in sessions:
        parts = parts_of(session)
        if not parts:
            continue
        others = trainer.others_of(session.name)
        common = trainer.fit(others, None)
        for part in parts:
            key = (part.person, part.end)
            simple["others"][key] = _trace(common, part)
            for minutes, own in part.own.items():
                rows = trainer.rows_of(own, [own])
                simple[f"own {minutes}"][key] = _trace(trainer.fit([rows], None), part)
                for weight in WEIGHTS:
                    weighted[minutes, weight][key] = _trace(trainer.fit([rows], BaseRows(others, weight)), part)
        print(f"{session.name}: done", flush=True)
    return simple, weighted


def chosen_by_others(of_weights: dict[float, Traces]) -> tuple[Traces, list[float]]:
    """Return for each person the traces of the weight that is best on all other people, and these weights."""
    chosen: Traces = {}
    weights = []
    for person in dict.fromkeys(person for person, _ in next(iter(of_weights.values()))):
        best = max(of_weights, key=lambda w: _precision([t for (who, _), t in of_weights[w].items() if who != person]))
        weights.append(best)
        chosen |= {key: trace for key, trace in of_weights[best].items() if key[0] == person}
    return chosen, weights


def report(name: str, traces: Traces) -> None:
    own = list(traces.values())
    rows = sweep(own, DecisionParameters(), thresholds(FINE_STEPS), min_lead_ms=100)
    single = [one.value for trace in own if (one := average_precision([trace])) is not None]
    print(
        f"| {name} | {_precision(own):.3f} | {np.mean(single):.3f} | {_in_time(rows, 2.4)} | {_in_time(rows, 1.0)} |",
        flush=True,
    )


def _trace(model: Model, part: Part) -> Trace:
    return Trace(part.tested, score_recording(model, part.tested.recording))


def _precision(traces: Sequence[Trace]) -> float:
    found = average_precision(traces)
    return 0.0 if found is None else found.value


def _in_time(rows: Sequence[Evaluation], false_per_minute: float) -> str:
    """Return the most shots in time with at most so many false spin-ups a minute at one threshold for all."""
    within = [row for row in rows if row.false.value <= false_per_minute]
    best = max(within, key=lambda row: row.accepted.count, default=None)
    return "-" if best is None else f"{best.accepted.count} of {best.accepted.total}, {100 * best.accepted.value:.0f} %"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--spec", default="mlp:rich")
    arguments = parser.parse_args()
    sessions = evaluation_data([read_log(path) for path in arguments.files], warn=print).sessions
    simple, weighted = measure(arguments.spec, sessions)
    print("\n| trained on | AP | AP, mean of parts | in time at 2.4 false a minute | in time at 1 |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, traces in simple.items():
        report(name, traces)
    for minutes in MINUTES:
        chosen, weights = chosen_by_others({w: weighted[minutes, w] for w in WEIGHTS})
        report(f"others + own {minutes}, weights {sorted(weights)}", chosen)
    for (minutes, weight), traces in weighted.items():
        report(f"others + own {minutes}, weight {weight:g}", traces)


if __name__ == "__main__":
    main()
