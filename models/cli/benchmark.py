"""``stinger benchmark``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from models.cli.options import test_size_option, train_dir_option
from models.cli.training_set import read_training_set
from models.workers import LOCAL, Workers
from stinger.cli.options import ANY_PATH, json_option
from stinger.cli.progress import progress_bar
from stinger.errors import FileError
from stinger.files import check_output, make_folder, text_bytes, write_bytes

_EXIT_INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended, as shells report it."""


@click.command(short_help="Compare models on a training set, over splits and seeds.")
@train_dir_option
@click.option(
    "--seeds", type=click.IntRange(1, 10_000), default=10, show_default=True, help="Number of runs, with seeds 1 to N."
)
@click.option("--out", type=ANY_PATH, default="report.md", show_default=True, help="The Markdown report to write.")
@test_size_option
@click.option("--jobs", type=click.IntRange(0), default=0, help="Number of parallel fits.  [default: 0, one per core]")
@click.option(
    "--backend",
    default=LOCAL,
    show_default=True,
    metavar="NAME",
    help="Where fits run: 'local' (processes on this machine) or a joblib backend: loky, threading, dask, ray.",
)
@click.option("--scheduler", metavar="ADDRESS", help="Scheduler of the Dask cluster, such as tcp://10.0.0.5:8786.")
@json_option
def benchmark(
    *,
    train_dir: str,
    seeds: int,
    out: str,
    test_size: float,
    jobs: int,
    backend: str,
    scheduler: str | None,
    as_json: bool,
) -> None:
    """Fit eight models on random, group and time splits (and session splits, if there are several), for several seeds.

    Writes a Markdown report with the mean and standard deviation of ROC AUC, PR AUC and best F1. Ctrl-C ends it early;
    the report then contains the finished fits.
    """
    from models.benchmark import plan_benchmark, run_benchmark
    from models.benchmark_report import make_report, report_markdown, report_values

    dataset = read_training_set(train_dir)
    numbers = range(1, seeds + 1)
    plan = plan_benchmark(dataset, seeds=numbers, test_size=test_size)
    make_folder(Path(out).parent)
    check_output(out)
    for split, reason in plan.left_out.items():
        click.echo(f"Warning: {split} is left out: {reason}", err=True)
    weight = sum(job.configuration.cost for job in plan.jobs)
    with progress_bar(f"{len(plan.jobs):,} fits", weight) as progress:
        outcome = run_benchmark(
            dataset,
            plan,
            Workers(jobs=jobs, backend=backend, scheduler=scheduler),
            on_fit=lambda fit: progress(fit.configuration.cost),
        )
    report = make_report(train_dir, dataset, plan, outcome, seeds=numbers, test_size=test_size)
    markdown = report_markdown(report)
    if as_json:
        click.echo(json.dumps(report_values(report), indent=2))
    if outcome.fits:
        try:
            write_bytes(out, text_bytes(markdown))
        except FileError:
            if not as_json:
                click.echo(markdown)  # a full disk must not lose hours of work
            raise
    done = f"{len(outcome.fits):,} of {len(plan.jobs):,} fits"
    if outcome.interrupted:
        kept = (
            f"{out} contains the {done} that were finished"
            if outcome.fits
            else f"{out} is not written: no fit finished"
        )
        click.echo(f"Interrupted: {kept}.", err=True)
        raise click.exceptions.Exit(_EXIT_INTERRUPTED)
    if not as_json:
        click.echo(markdown[markdown.index("| model") :].rstrip())
        click.echo(f"\n{out}: {len(outcome.fits):,} fits in {outcome.seconds:.1f} s")
