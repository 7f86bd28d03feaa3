"""``stinger calibrate``."""

from __future__ import annotations

import click

from models.cli.data_options import data_dir_option
from models.graph.export import blaster_file_of, with_decision
from models.model_file import load_model
from models.names import version_name
from models.registry import Registry
from replay.cli.evaluation_input import evaluation_options, model_traces, open_data, overlap_warnings
from replay.evaluation.evaluate import average_precision
from replay.evaluation.report import EvaluationReport, caveats, table, table_rows, to_json
from replay.evaluation.sweep import FINE_STEPS, choose, sweep, thresholds
from stinger.cli.options import ANY_PATH, FiniteRange
from stinger.cli.progress import progress_bar
from stinger.errors import InputError
from stinger.files import check_output, write_bytes
from stinger.paths import registry_dir


@click.command("calibrate", short_help="Choose a model's threshold within a limit on false spin-ups.")
@click.option("--model-file", type=ANY_PATH, required=True, help="The model to calibrate.")
@click.option(
    "--max-false-per-minute",
    type=FiniteRange(0, 1e6),
    required=True,
    help="Upper limit for false spin-ups per minute.",
)
@click.option(
    "--max-duty",
    type=FiniteRange(0, 1),
    default=1.0,
    show_default=True,
    help="Upper limit for duty: the fraction of time with wheels on.",
)
@click.option("--out", type=ANY_PATH, help="Write the new model to this file instead of the registry.")
@data_dir_option
@click.option("--dry-run", is_flag=True, help="Only show the choice; write nothing.")
@evaluation_options
def calibrate(
    *,
    log_paths: tuple[str, ...],
    model_file: str,
    max_false_per_minute: float,
    max_duty: float,
    min_lead_ms: float,
    out: str | None,
    data_dir: str | None,
    dry_run: bool,
    min_shot_gap_ms: float,
    rate_hz: float,
    every: int,
) -> None:
    """Choose the threshold with the most shots of LOG in time, within an upper limit for false spin-ups.

    If several are equally good, choose the one with the wheels on for the least time. The model with this threshold is
    added to the registry as a new version; it is in use once it is promoted.
    """
    if out is not None and not dry_run:
        check_output(out)
    model = load_model(model_file)
    data = open_data(log_paths, rate_hz=rate_hz, every=every, min_shot_gap_ms=min_shot_gap_ms)
    traces = model_traces(model, data)
    parameters = model.meta.decision
    at = thresholds(FINE_STEPS, parameters.on)
    with progress_bar("Thresholds", len(at)) as progress:
        rows = sweep(traces, parameters, at, min_lead_ms=min_lead_ms, progress=progress)
    chosen = choose(rows, max_false_per_minute=max_false_per_minute, max_duty=max_duty)
    report = EvaluationReport(
        subject=f"{model.meta.spec} (sha256 {model.sha256[:12]})",
        method=f"calibrated to at most {max_false_per_minute:g} false spin-ups a minute",
        data=data.files,
        operating=chosen or rows[at.index(parameters.on)],
        average_precision=average_precision(traces),
        rows=rows,
        warnings=overlap_warnings(model, data),
    )
    if chosen is None:
        click.echo("\n".join(table(table_rows(report))))
        bounds = f"{max_false_per_minute:g} false spin-ups a minute" + (
            f" and {100 * max_duty:g} % of duty" if max_duty < 1 else ""
        )
        raise InputError(f"no threshold has a shot in time within {bounds}: choose limits by the table above")
    click.echo("\n".join([*table([chosen]), *(f"Note: {line}" for line in caveats(report))]))
    if dry_run:
        return
    data_out = with_decision(model, chosen.parameters)
    if out is not None:
        write_bytes(out, data_out)
        click.echo(f"wrote {out}, threshold {chosen.parameters.on:.2f}")
        return
    version = Registry(registry_dir(data_dir)).add(
        version_name(f"calibrated-{model.meta.spec}"),
        data_out,
        {"calibration": to_json(report)},
        blaster_model=blaster_file_of(model),
    )
    click.echo(
        f"added {version.id}, threshold {chosen.parameters.on:.2f}. To use it: stinger models promote {version.id}"
    )
