"""Compare models over splits and seeds on one training set: plan the fits, and run them on several workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from models.dataset import Dataset
from models.estimators import fit_estimator, make_estimator, predict_probability
from models.features import TrainingInput, training_input
from models.metrics import Metrics, compute_metrics
from models.spec import EstimatorOptions, Member
from models.splits import Split, make_split
from models.workers import Workers, run_parallel
from stinger.errors import InputError


@dataclass(frozen=True, slots=True)
class Configuration:
    """A model with its parameters. ``cost`` is the approximate time of a fit, relative to the cheapest model.

    An MLP has no early stopping: like the original benchmark of the blaster's makers, it is fitted on all training rows
    until the loss no longer falls.
    """

    name: str
    member: Member
    cost: int
    mlp_hidden: tuple[int, ...] | None = None
    mlp_max_iter: int = 800
    trees: int = 300

    @property
    def deterministic(self) -> bool:
        """Whether the fit does not depend on the seed."""
        return self.member.model in {"logreg", "ridge", "hgb"}

    def options(self, *, n_jobs: int = 1) -> EstimatorOptions:
        """Return the options of the estimator, with ``n_jobs`` threads for trees."""
        return EstimatorOptions(
            mlp_hidden=self.mlp_hidden,
            mlp_max_iter=self.mlp_max_iter,
            mlp_early_stopping=False,
            trees=self.trees,
            n_jobs=n_jobs,
        )


CONFIGURATIONS: Final = (
    Configuration("logreg", Member("logreg", "summary"), cost=1),
    Configuration("logreg", Member("logreg", "rich"), cost=1),
    Configuration("ridge", Member("ridge", "summary"), cost=1),
    Configuration("mlp_flat", Member("mlp", "flatten"), cost=8, mlp_hidden=(32,), mlp_max_iter=600),
    Configuration("mlp_rich", Member("mlp", "rich"), cost=12, mlp_hidden=(64, 32), mlp_max_iter=800),
    Configuration("rf", Member("rf", "rich"), cost=90, trees=400),
    Configuration("et", Member("et", "rich"), cost=80, trees=600),
    Configuration("hgb", Member("hgb", "rich"), cost=20),
)
SHUFFLED: Final = CONFIGURATIONS[0]
"""The model for the check with shuffled labels, on random splits."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One fit. ``seeds`` are the seeds whose result it gives: several where neither model nor split depends on them."""

    configuration: Configuration
    split_name: str
    seeds: tuple[int, ...]
    split: Split
    shuffled: bool = False


@dataclass(frozen=True, slots=True)
class Fit:
    """The result of a job. ``seconds`` is the time of fit and prediction on one core."""

    configuration: Configuration
    split_name: str
    seeds: tuple[int, ...]
    shuffled: bool
    metrics: Metrics
    seconds: float
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """All fits to run, the most expensive first; ``left_out`` maps each split that is impossible to the reason."""

    jobs: tuple[Job, ...]
    configurations: tuple[Configuration, ...]
    splits: tuple[str, ...]
    left_out: Mapping[str, str]


@dataclass(slots=True)
class Outcome:
    """The finished fits in the order of the plan's jobs; ``interrupted`` if some are missing."""

    fits: list[Fit] = field(default_factory=list)
    interrupted: bool = False
    seconds: float = 0.0


def plan_benchmark(
    dataset: Dataset,
    *,
    seeds: Sequence[int],
    test_size: float = 0.25,
    configurations: Sequence[Configuration] = CONFIGURATIONS,
) -> Plan:
    """Plan the fits of a benchmark of ``dataset``, without duplicates.

    Splits are random, group and time, and session if there are several sessions. Seeds that give the same split share
    one fit of a deterministic model. A split that is impossible for one of the seeds is left out, with the reason.
    Raises :class:`InputError` if no split is possible.
    """
    several = np.unique(dataset.rows.session).size > 1
    splits: dict[str, list[Split]] = {}
    left_out: dict[str, str] = {}
    for name in ("random", "group", "time", *(["session"] if several else [])):
        try:
            splits[name] = [
                make_split(name, dataset.labels, dataset.rows, test_size=test_size, seed=seed) for seed in seeds
            ]
        except InputError as error:
            left_out[name] = str(error)
    if not splits:
        raise InputError(f"no split is possible: {'; '.join(left_out.values())}")
    jobs: dict[tuple[object, ...], Job] = {}
    for name, of_seeds in splits.items():
        for configuration in configurations:
            for seed, split in zip(seeds, of_seeds, strict=True):
                key = (configuration, name, split.test.tobytes(), None if configuration.deterministic else seed)
                shared = jobs[key].seeds if key in jobs else ()
                jobs[key] = Job(configuration, name, (*shared, seed), split)
    if "random" in splits:
        for seed in seeds:
            labels = shuffled_labels(dataset.labels, seed)
            split = make_split("random", labels, dataset.rows, test_size=test_size, seed=seed)
            jobs["shuffled", seed] = Job(SHUFFLED, "random", (seed,), split, shuffled=True)
    ordered = sorted(jobs.values(), key=lambda job: -job.configuration.cost)
    return Plan(jobs=tuple(ordered), configurations=tuple(configurations), splits=tuple(splits), left_out=left_out)


def run_benchmark(
    dataset: Dataset, plan: Plan, workers: Workers, *, on_fit: Callable[[Fit], object] = lambda _: None
) -> Outcome:
    """Run the jobs of ``plan``, each on one core; ``on_fit`` is called with each result when it is finished.

    ``KeyboardInterrupt`` ends it early and is not raised: the outcome then holds the finished fits and ``interrupted``.
    """
    started = time.perf_counter()
    names = {job.configuration.member.features for job in plan.jobs}
    features = {name: training_input(dataset.windows, name) for name in sorted(names)}
    outcome = Outcome()
    done: dict[int, Fit] = {}
    results = run_parallel(partial(_fit_job, features, dataset.labels), list(enumerate(plan.jobs)), workers)
    try:
        for number, fit in results:
            done[number] = fit
            on_fit(fit)
    except KeyboardInterrupt:
        outcome.interrupted = True
    outcome.fits = [done[number] for number in sorted(done)]
    outcome.seconds = time.perf_counter() - started
    return outcome


def shuffled_labels(labels: npt.NDArray[np.uint8], seed: int) -> npt.NDArray[np.uint8]:
    """Return ``labels`` in random order, so that they have no relation to their rows."""
    return np.random.default_rng(seed).permutation(labels)


def _fit_job(
    features: Mapping[str, TrainingInput], labels: npt.NDArray[np.uint8], numbered: tuple[int, Job]
) -> tuple[int, Fit]:
    number, job = numbered
    configuration, split, seed = job.configuration, job.split, job.seeds[0]
    if job.shuffled:
        labels = shuffled_labels(labels, seed)
    rows = features[configuration.member.features]
    started = time.perf_counter()
    with threadpool_limits(1):
        estimator = make_estimator(
            configuration.member.model,
            configuration.member.features,
            seed=seed,
            labels=labels[split.train],
            options=configuration.options(),
        )
        warnings = fit_estimator(estimator, rows[split.train], labels[split.train])
        probability = predict_probability(estimator, rows[split.test])
    seconds = time.perf_counter() - started
    metrics = compute_metrics(labels[split.test], probability)
    return number, Fit(configuration, job.split_name, job.seeds, job.shuffled, metrics, seconds, warnings)
