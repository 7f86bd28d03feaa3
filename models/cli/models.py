"""``stinger models``: list, show, add, promote, roll back and prune the models of the registry."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from models.choice import open_version
from models.cli.data_options import data_dir_option, shared_registry_option
from models.model_file import Model, load_model, read_model
from models.names import version_name
from models.shared_registry import open_current_registry
from models.spec import spec_in_words
from models.trial import LIMITS, check_speed, try_file
from models.version import Version
from stinger.cli.group import SuggestingGroup
from stinger.cli.options import ANY_PATH, json_option
from stinger.errors import FileError, InputError
from stinger.paths import data_dir as data_folder
from stinger.storage_url import StorageUrl

_BY_HAND = "by hand"
_SHOWN = 3
_HASH_CHARS = 12
_SHA256_CHARS = 64


@click.group(cls=SuggestingGroup, short_help="List, show, add and promote models.")
def models() -> None:
    """List, show, add and promote the models in the registry.

    The champion is the model in use. A running daemon switches to a newly promoted model within two seconds.
    """


@models.command("list", short_help="List the models in the registry.")
@data_dir_option
@shared_registry_option
@json_option
def list_models(data_dir: str | None, registry_url: StorageUrl | None, as_json: bool) -> None:
    """List the models in the registry, oldest first. A star marks the champion."""
    registry = open_current_registry(data_folder(data_dir), registry_url)
    versions = registry.versions()
    try:
        champion = registry.champion()
    except FileError as error:
        champion = None
        click.echo(f"Warning: {error}", err=True)
    if as_json:
        rows = [{"version": version.id, "champion": version == champion} for version in versions]
        click.echo(json.dumps(rows, indent=2))
        return
    if not versions:
        click.echo(f"{registry.place} contains no model yet.")
    for version in versions:
        click.echo(f"{'*' if version == champion else ' '} {version.id}")


@models.command("show", short_help="Show the metadata of a model.")
@click.argument("model", metavar="FILE|VERSION", type=ANY_PATH)
@data_dir_option
@shared_registry_option
@json_option
def show(model: str, data_dir: str | None, registry_url: StorageUrl | None, as_json: bool) -> None:
    """Show the metadata of a model: its type, parameters, training data, metrics and speed.

    Give a model FILE or a VERSION of the registry.
    """
    path, record = Path(model), None
    if not os.path.lexists(model) and path.parent == Path() and path.suffix != ".onnx":
        version = open_current_registry(data_folder(data_dir), registry_url).version(model)
        path, record = version.model_path, version.check_content(read_model(version.model_path))
    us_per_sample = None if record is None else record.us_per_sample
    if us_per_sample is None:
        us_per_sample = try_file(path).us_per_sample
    loaded = load_model(path)
    if as_json:
        document = {
            "path": str(path),
            "sha256": loaded.sha256,
            "us_per_sample": round(us_per_sample, 1),
            **json.loads(loaded.meta.to_json()),
        }
        click.echo(json.dumps(document, indent=2))
        return
    click.echo(path)
    for label, text in [*_description(loaded), ("speed", _speed(us_per_sample))]:
        click.echo(f"  {label:<13}{text}")


@models.command("add", short_help="Add a model to the registry.")
@click.argument("file", type=ANY_PATH)
@data_dir_option
@shared_registry_option
@click.option("--name", help="Part of the version's name.  [default: the model's estimator and features]")
def add(file: str, data_dir: str | None, registry_url: StorageUrl | None, name: str | None) -> None:
    """Check the model in FILE and add it to the registry. It is in use once it is promoted.

    A model that takes too much memory or time is refused.
    """
    from models.graph.export import blaster_file_of  # needs the packages of the train extra, unlike the other commands

    trial = try_file(file)
    try:
        check_speed(trial.us_per_sample)
    except InputError as error:
        raise FileError(file, str(error)) from error
    model = load_model(file)
    report = {"added_from": file, "sha256": model.sha256, "metrics": dict(model.meta.metrics)}
    version = open_current_registry(data_folder(data_dir), registry_url).add(
        name or version_name(model.meta.spec),
        model.data,
        report,
        blaster_model=blaster_file_of(model),
        us_per_sample=trial.us_per_sample,
    )
    click.echo(f"Kept as {version.id}: stinger models promote {version.id}")


@models.command("promote", short_help="Make a model the champion.")
@click.argument("version")
@data_dir_option
@shared_registry_option
@click.option("--why", default=_BY_HAND, show_default=True, help="The reason, for the journal.")
def promote(version: str, data_dir: str | None, registry_url: StorageUrl | None, why: str) -> None:
    """Check the model VERSION and make it the champion."""
    registry = open_current_registry(data_folder(data_dir), registry_url)
    found = registry.version(version)
    opened = open_version(found)
    if opened.us_per_sample is not None:
        registry.keep_trial(found, opened.model.data, opened.us_per_sample)
    click.echo(f"The champion is now {registry.promote(version, why=why).id}.")


@models.command("rollback", short_help="Return to the previous champion.")
@data_dir_option
@shared_registry_option
@click.option("--why", default=_BY_HAND, show_default=True, help="The reason, for the journal.")
def rollback(data_dir: str | None, registry_url: StorageUrl | None, why: str) -> None:
    """Make the previous champion the champion again. Repeat to go back further."""
    click.echo(
        f"The champion is again {open_current_registry(data_folder(data_dir), registry_url).roll_back(why=why).id}."
    )


@models.command("prune", short_help="Delete old models.")
@data_dir_option
@shared_registry_option
@click.option("--keep", type=click.IntRange(0), default=10, show_default=True, help="Number of newest models to keep.")
def prune(data_dir: str | None, registry_url: StorageUrl | None, keep: int) -> None:
    """Delete all but the newest models. The champion and the previous champion are always kept."""
    deleted: list[Version] = open_current_registry(data_folder(data_dir), registry_url).prune(keep=keep)
    for version in deleted:
        click.echo(f"deleted {version.id}")
    click.echo(f"{len(deleted)} deleted.")


def _description(model: Model) -> list[tuple[str, str]]:
    meta, decision = model.meta, model.meta.decision
    pace = f"attack {decision.attack:g}, release {decision.release:g}"
    lines = [
        ("model", spec_in_words(meta.spec)),
        ("window", f"{meta.window_samples} samples at {meta.rate_hz:g} Hz, {meta.lead_ms:g} ms ahead"),
        ("wheels", f"on from {decision.on:g}, off below {decision.off:g} ({pace})"),
        ("motion gate", f"{meta.gate_lsb:g} LSB"),
        ("made", f"{meta.created} by {meta.software}"),
        ("sha256", model.sha256),
    ]
    lines += [("trained on", _inline(meta.training))] if meta.training else []
    lines += [("measured", _inline(meta.metrics))] if meta.metrics else []
    return lines


def _speed(us_per_sample: float) -> str:
    return f"{us_per_sample:,.0f} µs of processor time to score a sample ({LIMITS.us_per_sample:,.0f} allowed)"


def _inline(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {_short(value)}" for key, value in values.items())


def _short(value: Any) -> str:
    """Return a float with three decimals, the start of a hash or list, any other value as text."""
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, list):
        more = f" and {len(value) - _SHOWN} more" if len(value) > _SHOWN else ""
        return f"{' '.join(_short(part) for part in value[:_SHOWN])}{more}"
    text = str(value)
    return text[:_HASH_CHARS] if len(text) == _SHA256_CHARS else text
