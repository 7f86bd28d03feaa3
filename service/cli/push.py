"""``stinger push``."""

from __future__ import annotations

from pathlib import Path

import click

from service.cli.port_options import connect, port_options
from service.round_trip.pushing import (
    LR_FILE,
    MLP_FILE,
    Upload,
    delete_models,
    describe_status,
    push_models,
    read_upload,
    uploads_in,
)
from stinger.cli.options import ANY_FOLDER, ANY_PATH
from stinger.errors import InputError
from stinger.wire.commands import ModelSlot, ModelStatus


@click.command(short_help="Upload models to a blaster.")
@port_options
@click.option("--lr", metavar="FILE", type=ANY_PATH, help="LR model (logreg:summary) to upload.")
@click.option("--mlp", metavar="FILE", type=ANY_PATH, help="MLP (mlp:rich) to upload.")
@click.option(
    "--in",
    "source",
    metavar="FOLDER|FILE",
    type=ANY_FOLDER,
    help=f"Folder with {LR_FILE}, {MLP_FILE} or both; or one file, for older firmware that keeps a single model.",
)
@click.option(
    "--no-load", is_flag=True, help="Only store the models: the blaster uses them when it is next switched on."
)
@click.option("--delete", is_flag=True, help="Delete all uploaded models instead; the factory models are used again.")
@click.option("--info", is_flag=True, help="Only show which models the blaster has.")
def push(
    *,
    port: str | None,
    baud: int,
    lr: str | None,
    mlp: str | None,
    source: Path | None,
    no_load: bool,
    delete: bool,
    info: bool,
) -> None:
    """Upload models to a blaster, load them, and verify that it uses exactly these.

    A model is a file for the blaster (ml_model_lr.bin) or a model file of this program (model.onnx), of a kind that the
    blaster supports: logreg:summary or mlp:rich. The old model is kept until the new one has arrived completely.
    """
    actions = [lr is not None or mlp is not None, source is not None, delete, info]
    if actions.count(True) != 1:
        raise InputError("choose one: --lr and --mlp (one or both), --in, --delete, --info")
    if no_load and (delete or info):
        raise InputError("--no-load is for uploads: use it with --lr, --mlp or --in")
    uploads = _uploads(lr, mlp, source)
    with connect(port, baud) as client:
        if delete:
            status = delete_models(client)
        elif info:
            status = client.status()
        else:
            status = push_models(client, uploads, load=not no_load)
    _show(status)


def _uploads(lr: str | None, mlp: str | None, source: Path | None) -> list[Upload]:
    """Read and check all models, before any request is sent to the blaster."""
    if source is not None:
        return uploads_in(source)
    named = [(path, slot) for path, slot in ((lr, ModelSlot.LR), (mlp, ModelSlot.MLP)) if path is not None]
    return [read_upload(path, slot) for path, slot in named]


def _show(status: ModelStatus) -> None:
    for label, text in describe_status(status):
        click.echo(f"{label:<17}{text}")
