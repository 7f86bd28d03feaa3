"""``stinger calibrate``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeVar

import click

from models.cli.data_options import data_dir_option, shared_registry_option
from models.cli.options import ThresholdType
from models.decision_parameters import DecisionParameters
from models.graph.export import blaster_file_of, blaster_model_of, with_decision
from models.model_file import Model, load_model
from models.names import version_name
from models.registry import Registry
from models.shared_registry import open_current_registry
from models.threshold import Threshold
from replay.cli.evaluation_input import evaluation_options, model_traces, open_data, overlap_warnings
from replay.evaluation.calibration import Calibration, calibrate_envelope, calibrate_threshold, envelope_steps
from replay.evaluation.comparison_wording import cost_text
from replay.evaluation.cost import CostWeights, cost_per_minute
from replay.evaluation.cost_choice import Budget
from replay.evaluation.data import EvaluationData
from replay.evaluation.evaluate import Evaluation, average_precision, evaluate
from replay.evaluation.report import EvaluationReport, caveats, finite, table, table_rows, to_json
from replay.evaluation.sweep import FINE_STEPS, sweep, thresholds
from replay.evaluation.wording import percent_text
from replay.trace import Trace
from stinger.cli.options import ANY_PATH, FiniteRange
from stinger.cli.progress import progress_bar
from stinger.errors import InputError
from stinger.files import check_output, write_bytes
from stinger.paths import data_dir as data_folder
from stinger.storage_url import StorageUrl

_DAEMON: Final = "daemon"
_BLASTER: Final = "blaster"
_DEFAULTS: Final = CostWeights()
_MUCH_DEARER: Final = 1.2

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _cost_option(name: str, default: float, help_text: str, *, least: float = 0) -> Callable[[_Command], _Command]:
    return click.option(name, type=FiniteRange(least, 1000), default=default, show_default=True, help=help_text)


@click.command("calibrate", short_help="Choose a model's threshold within a limit on false spin-ups.")
@click.option("--model-file", type=ANY_PATH, required=True, help="The model to calibrate.")
@click.option(
    "--for",
    "target",
    type=click.Choice([_DAEMON, _BLASTER]),
    default=_DAEMON,
    show_default=True,
    help="Choose threshold, attack and release for the daemon, or the threshold alone, all that a blaster's menu can set.",
)
@click.option(
    "--max-false-per-minute",
    type=FiniteRange(0, 1e6),
    help="Upper limit for false spin-ups per minute; required unless --threshold is given.",
)
@click.option(
    "--threshold",
    type=ThresholdType(),
    help="Take this threshold instead of choosing one; attack and release stay as they are.",
)
@click.option(
    "--max-duty",
    type=FiniteRange(0, 1),
    default=1.0,
    show_default=True,
    help="Upper limit for duty: the fraction of time with wheels on.",
)
@_cost_option(
    "--cost-missed-shot",
    _DEFAULTS.missed_shot,
    "Cost of an accepted shot that is not in time; only the ratios of the three costs matter.",
    least=0.001,
)
@_cost_option(
    "--cost-false-spin-up",
    _DEFAULTS.false_spin_up,
    "Cost of a false spin-up, in addition to that of the time with wheels on.",
)
@_cost_option("--cost-minute-on", _DEFAULTS.minute_on, "Cost of a minute with wheels on.")
@click.option("--out", type=ANY_PATH, help="Write the new model to this file instead of the registry.")
@data_dir_option
@shared_registry_option
@click.option("--dry-run", is_flag=True, help="Only show the choice; write nothing.")
@evaluation_options
def calibrate(
    *,
    log_paths: tuple[str, ...],
    model_file: str,
    target: str,
    max_false_per_minute: float | None,
    threshold: Threshold | None,
    max_duty: float,
    cost_missed_shot: float,
    cost_false_spin_up: float,
    cost_minute_on: float,
    min_lead_ms: float,
    out: str | None,
    data_dir: str | None,
    registry_url: StorageUrl | None,
    dry_run: bool,
    min_shot_gap_ms: float,
    rate_hz: float,
    every: int,
) -> None:
    """Choose the threshold of a model: the one with the least cost on LOG within the limits, or the one that you give.

    The cost is that of missed shots, false spin-ups and time with wheels on. For the daemon, attack and release of the
    envelope are changed too if that costs clearly less on parts of the data that they were not chosen on. The model
    with the new parameters is added to the registry as a new version; it is in use once it is promoted. A LOG is a
    file, or the URL of a file or folder in shared storage, such as s3://BUCKET/FOLDER.
    """
    if (max_false_per_minute is None) == (threshold is None):
        raise InputError("give either --max-false-per-minute or --threshold")
    if out is not None and not dry_run:
        check_output(out)
    registry = None
    if out is None and not dry_run:
        registry = open_current_registry(data_folder(data_dir), registry_url)
    model = load_model(model_file)
    if target == _BLASTER:
        blaster_model_of(model)  # raises for a model that no blaster runs: no menu could be set for it
    data = open_data(log_paths, rate_hz=rate_hz, every=every, min_shot_gap_ms=min_shot_gap_ms)
    traces = model_traces(model, data.sessions)
    start = model.meta.decision if target == _DAEMON else DecisionParameters()
    destination = _Destination(model, target, registry, None if dry_run else out)
    if max_false_per_minute is None:
        assert threshold is not None
        chosen = start.at(threshold)
        method = f"with a threshold of {threshold:g} for a {target}"
        report = _report(model, data, traces, chosen, method=method, min_lead_ms=min_lead_ms)
        click.echo("\n".join([*table([report.operating]), "", *_notes(report)]))
        destination.write(chosen, {**to_json(report), "chosen_for": target})
        return
    weights = CostWeights(cost_missed_shot, cost_false_spin_up, cost_minute_on)
    budget = Budget(max_false_per_minute, max_duty)
    if target == _DAEMON:
        with progress_bar("Searching", envelope_steps()) as progress:
            found = calibrate_envelope(traces, start, weights, budget, min_lead_ms=min_lead_ms, progress=progress)
    else:
        found = calibrate_threshold(traces, start, weights, budget, min_lead_ms=min_lead_ms)
    chosen = start if found is None else found.parameters
    method = f"calibrated for a {target} to at most {max_false_per_minute:g} false spin-ups a minute"
    report = _report(model, data, traces, chosen, method=method, min_lead_ms=min_lead_ms)
    if found is None:
        click.echo("\n".join(table(table_rows(report))))
        bounds = f"{max_false_per_minute:g} false spin-ups a minute" + (
            f" and {100 * max_duty:g} % of duty" if max_duty < 1 else ""
        )
        raise InputError(f"no threshold has a shot in time within {bounds}: choose limits by the table above")
    free = calibrate_threshold(traces, start, weights, None, min_lead_ms=min_lead_ms)
    assert free is not None  # without limits, one threshold always costs least
    beyond = evaluate(traces, free.parameters, min_lead_ms=min_lead_ms)
    result = [*_result(found, start), *_beyond_limits(beyond, report.operating, weights)]
    click.echo("\n".join([*table([report.operating]), "", *result, *_notes(report)]))
    destination.write(chosen, {**to_json(report), **_values(found, weights, budget, target)})


@dataclass(frozen=True, slots=True)
class _Destination:
    """Where ``model`` is written with other parameters: to the file ``out``, else to a registry.

    Without a registry it is not written.
    """

    model: Model
    target: str
    registry: Registry | None
    out: str | None

    def write(self, chosen: DecisionParameters, calibration: Mapping[str, Any]) -> None:
        """Write the model with ``chosen``, and print where it is."""
        if self.target == _BLASTER:
            click.echo(f"Set {100 * chosen.on:.0f} % in the blaster's menu.")
        if self.out is not None:
            write_bytes(self.out, with_decision(self.model, chosen))
            click.echo(f"wrote {self.out}, threshold {chosen.on:.2f}")
        if self.registry is None:
            return
        version = self.registry.add(
            version_name(f"calibrated-{self.model.meta.spec}"),
            with_decision(self.model, chosen),
            {"calibration": dict(calibration)},
            blaster_model=blaster_file_of(self.model),
        )
        click.echo(f"added {version.id}, threshold {chosen.on:.2f}. To use it: stinger models promote {version.id}")


def _report(
    model: Model,
    data: EvaluationData,
    traces: Sequence[Trace],
    chosen: DecisionParameters,
    *,
    method: str,
    min_lead_ms: float,
) -> EvaluationReport:
    """Evaluate ``traces`` with the ``chosen`` parameters, and at all thresholds."""
    at = thresholds(FINE_STEPS, chosen.on)
    with progress_bar("Thresholds", len(at)) as progress:
        rows = sweep(traces, chosen, at, min_lead_ms=min_lead_ms, progress=progress)
    return EvaluationReport(
        subject=f"{model.meta.spec} (sha256 {model.sha256[:12]})",
        method=method,
        data=data.files,
        operating=evaluate(traces, chosen, min_lead_ms=min_lead_ms),
        average_precision=average_precision(traces),
        rows=rows,
        warnings=(*data.warnings, *overlap_warnings(model, data)),
    )


def _result(found: Calibration, start: DecisionParameters) -> list[str]:
    """Return lines on the parts that nothing was chosen on, and on attack and release."""
    held_out, chosen = found.held_out, found.parameters
    figures = (
        f"{percent_text(held_out.in_time)} in time, {held_out.false_per_minute:.2f} false a minute, "
        f"wheels on {percent_text(held_out.duty)}"
    )
    lines = [f"On parts that it was not chosen on: {figures}."]
    if found.envelope is None:
        return lines
    if (chosen.attack, chosen.release) != (start.attack, start.release):
        lines.append(
            f"Attack {chosen.attack:g} and release {chosen.release:g}, before {start.attack:g} and {start.release:g}."
        )
    verdict = "so they are changed" if found.envelope_changed else "not clearly less, so they stay"
    lines.append(
        f"Other attack and release: cost {cost_text(found.envelope)} on parts they were not chosen on, {verdict}."
    )
    return lines


def _beyond_limits(beyond: Evaluation, chosen: Evaluation, weights: CostWeights) -> list[str]:
    """Return a line if ``beyond``, the threshold of least cost without limits, costs much less than the ``chosen`` one."""
    least, cost = cost_per_minute(beyond, weights), cost_per_minute(chosen, weights)
    if cost < _MUCH_DEARER * least:
        return []
    figures = (
        f"{percent_text(beyond.accepted.value)} in time, {beyond.false.value:.2f} false a minute, "
        f"wheels on {percent_text(beyond.duty)}"
    )
    return [
        f"Without the limits, {beyond.parameters.on:.2f} would cost {least:.2f} a minute instead of {cost:.2f}: {figures}."
    ]


def _notes(report: EvaluationReport) -> list[str]:
    return [f"Note: {line}" for line in caveats(report)]


def _values(found: Calibration, weights: CostWeights, budget: Budget, target: str) -> dict[str, Any]:
    """Return the choice as values for JSON."""
    values: dict[str, Any] = finite(
        {
            "chosen_for": target,
            "weights": asdict(weights),
            "limits": {"max_false_per_minute": budget.max_false_per_minute, "max_duty": budget.max_duty},
            "held_out": asdict(found.held_out),
            "envelope": None if found.envelope is None else asdict(found.envelope),
        }
    )
    return values
