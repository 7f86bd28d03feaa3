"""The report of a benchmark: as values, as JSON-ready values and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final

import numpy as np

from models.benchmark import SHUFFLED, Configuration, Fit, Outcome, Plan
from models.dataset import Dataset
from stinger.wording import counted

METRICS: Final = ("roc_auc", "pr_auc", "best_f1")
_META_SHOWN: Final = ("lead_ms", "window_ms", "neg_strategy")
_SIGMAS: Final = 3
"""The ROC AUC of shuffled labels counts as chance up to this many standard deviations of the mean from 0.5."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and population standard deviation over runs."""

    mean: float
    std: float


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One configuration on one split over ``runs`` seeds, with the warnings of all its fits.

    It took ``fits`` fits of ``fit_seconds`` on average.
    """

    configuration: Configuration
    split: str
    runs: int
    fits: int
    fit_seconds: float
    roc_auc: Spread
    pr_auc: Spread
    best_f1: Spread
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class BenchmarkReport:
    """A benchmark of ``dataset``, read from ``folder``, complete or interrupted.

    ``shuffled`` is ``None`` if none of its fits was finished. ``chance_std`` is the standard deviation of the mean ROC
    AUC that unrelated labels give, for this number of test rows and runs.
    """

    folder: str
    dataset: Dataset
    seeds: tuple[int, ...]
    test_size: float
    plan: Plan
    outcome: Outcome
    rows: tuple[ReportRow, ...]
    shuffled: ReportRow | None
    chance_std: float

    @property
    def shuffled_is_conclusive(self) -> bool:
        """Whether there are enough rows and runs for the check: a perfect prediction would not count as chance."""
        return _SIGMAS * self.chance_std < 0.5  # noqa: PLR2004 - from chance to perfect

    @property
    def shuffled_near_chance(self) -> bool | None:
        """Whether shuffled labels were predicted no better than by chance, as must be; ``None`` if unknown."""
        if self.shuffled is None or not self.shuffled_is_conclusive:
            return None
        return abs(self.shuffled.roc_auc.mean - 0.5) <= _SIGMAS * self.chance_std


def make_report(
    folder: str, dataset: Dataset, plan: Plan, outcome: Outcome, *, seeds: Sequence[int], test_size: float
) -> BenchmarkReport:
    """Build the report of ``outcome``: the rows that have at least one finished fit, in the order of the plan."""
    rows = []
    for configuration in plan.configurations:
        for split in plan.splits:
            fits = [
                fit
                for fit in outcome.fits
                if fit.configuration == configuration and fit.split_name == split and not fit.shuffled
            ]
            if fits:
                rows.append(_row(configuration, split, fits))
    shuffled = [fit for fit in outcome.fits if fit.shuffled]
    runs = sum(len(fit.seeds) for fit in shuffled)
    positives = math.ceil(test_size * int(dataset.labels.sum()))
    negatives = math.ceil(test_size * len(dataset)) - positives
    return BenchmarkReport(
        folder=folder,
        dataset=dataset,
        seeds=tuple(seeds),
        test_size=test_size,
        plan=plan,
        outcome=outcome,
        rows=tuple(rows),
        shuffled=_row(SHUFFLED, "random", shuffled) if shuffled else None,
        # Standard deviation of the Mann-Whitney statistic without ties, divided by the number of pairs.
        chance_std=math.sqrt((positives + negatives + 1) / (12 * max(1, positives * negatives) * max(1, runs))),
    )


def report_values(report: BenchmarkReport) -> dict[str, Any]:
    """Return ``report`` as JSON-ready values."""
    dataset = report.dataset
    return {
        "dataset": {
            "path": report.folder,
            "rows": len(dataset),
            "positives": int(dataset.labels.sum()),
            "sessions": int(np.unique(dataset.rows.session).size),
            "window_samples": int(dataset.windows.shape[1]),
        },
        "seeds": list(report.seeds),
        "test_size": report.test_size,
        "interrupted": report.outcome.interrupted,
        "fits_planned": len(report.plan.jobs),
        "fits_done": len(report.outcome.fits),
        "seconds": round(report.outcome.seconds, 3),
        "splits_left_out": dict(report.plan.left_out),
        "results": [_row_values(row) for row in report.rows],
        "shuffled_labels": None
        if report.shuffled is None
        else {
            **_row_values(report.shuffled),
            "chance_std": report.chance_std,
            "near_chance": report.shuffled_near_chance,
        },
    }


def report_markdown(report: BenchmarkReport) -> str:
    """Return ``report`` as Markdown, ending with a newline."""
    dataset, outcome = report.dataset, report.outcome
    positives, sessions = int(dataset.labels.sum()), int(np.unique(dataset.rows.session).size)
    rows = f"{len(dataset):,} rows ({positives:,} positive, {positives / len(dataset):.1%})"
    lines = ["# Benchmark", ""]
    if outcome.interrupted:
        lines += [f"**Interrupted**: {len(outcome.fits)} of {len(report.plan.jobs)} fits were finished.", ""]
    lines += [
        f"- dataset: `{report.folder}`, {rows} from {counted(sessions, 'session')}",
        f"- windows: {dataset.windows.shape[1]} samples of 6 channels"
        + "".join(f", {key} {dataset.meta[key]}" for key in _META_SHOWN if key in dataset.meta),
        f"- seeds: {_seeds(report.seeds)}; tested on {report.test_size:.0%} of the rows",
        f"- {len(outcome.fits)} fits in {outcome.seconds:.1f} s, with scikit-learn {version('scikit-learn')}",
        "",
        "## Results" + (" (mean±standard deviation over seeds)" if len(report.seeds) > 1 else ""),
        "",
        "| model | features | split | runs | roc_auc | pr_auc | best_f1 |",
        "|---|---:|---:|---:|---:|---:|---:|",
        *(_table_line(row) for row in report.rows),
        "",
        f"An always-positive guess has a ROC AUC of 0.500 and a PR AUC near {positives / len(dataset):.3f}.",
        "",
        *_notes(report),
        "## Sanity check (shuffled labels)",
        "",
        _shuffled_line(report),
    ]
    return "\n".join(lines) + "\n"


def _row(configuration: Configuration, split: str, fits: Sequence[Fit]) -> ReportRow:
    # A fit shared by several seeds counts once for each of them.
    metrics = [fit.metrics for fit in fits for _ in fit.seeds]
    spreads = {}
    for name in METRICS:
        values = [getattr(metric, name) for metric in metrics]
        spreads[name] = Spread(float(np.mean(values)), float(np.std(values)))
    warnings = tuple(dict.fromkeys(warning for fit in fits for warning in fit.warnings))
    return ReportRow(
        configuration=configuration,
        split=split,
        runs=len(metrics),
        fits=len(fits),
        fit_seconds=float(np.mean([fit.seconds for fit in fits])),
        warnings=warnings,
        **spreads,
    )


def _row_values(row: ReportRow) -> dict[str, Any]:
    return {
        "name": row.configuration.name,
        "model": row.configuration.member.model,
        "features": row.configuration.member.features,
        "split": row.split,
        "runs": row.runs,
        "fits": row.fits,
        "fit_seconds": row.fit_seconds,
        **{name: {"mean": getattr(row, name).mean, "std": getattr(row, name).std} for name in METRICS},
        "warnings": list(row.warnings),
    }


def _table_line(row: ReportRow) -> str:
    cells = [row.configuration.name, row.configuration.member.features, row.split, str(row.runs)]
    spreads = [getattr(row, name) for name in METRICS]
    # A single run has no spread, and ±0.000 would look like certainty.
    cells += [f"{one.mean:.3f}" + (f"±{one.std:.3f}" if row.runs > 1 else "") for one in spreads]
    return f"| {' | '.join(cells)} |"


def _notes(report: BenchmarkReport) -> list[str]:
    notes = []
    for split in report.plan.splits:
        shared = [row for row in report.rows if row.split == split and row.fits < row.runs]
        if shared:
            named = ", ".join(f"{row.configuration.name}/{row.configuration.member.features}" for row in shared)
            notes.append(
                f"- {split}: {named} fitted once for all seeds that split alike, as these models do not depend on the "
                f"seed ({sum(row.fits for row in shared)} fits for {sum(row.runs for row in shared)} runs)."
            )
    notes += [f"- {split}: left out, as {reason}." for split, reason in report.plan.left_out.items()]
    for row in report.rows:
        notes += [
            f"- {row.configuration.name}/{row.configuration.member.features}, {row.split}, in at least one run: {warning}."
            for warning in row.warnings
        ]
    return [*notes, ""] if notes else []


def _shuffled_line(report: BenchmarkReport) -> str:
    row = report.shuffled
    if row is None:
        return "- not done" + ("" if "random" in report.plan.splits else ", as it needs a random split")
    verdict = {
        True: "near chance, as it must be",
        False: "NOT near chance: the model can predict labels that it must not; does the training set contain rows twice?",
        None: "inconclusive: with so few rows, any value is possible by chance",
    }[report.shuffled_near_chance]
    return (
        f"- logreg+summary (random split, {counted(row.runs, 'run')}): ROC AUC={row.roc_auc.mean:.3f}, "
        f"PR AUC={row.pr_auc.mean:.3f} ({verdict}; chance for this mean is 0.500±{report.chance_std:.3f})"
    )


def _seeds(seeds: Sequence[int]) -> str:
    return str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
