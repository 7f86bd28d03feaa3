"""``stinger export-model`` and ``stinger import-model``: convert between our model files and the blaster's."""

from __future__ import annotations

from hashlib import sha256

import click

from models.graph.export import blaster_model_of, export_blaster_model
from models.model_file import load_model, open_model
from models.model_meta import ModelMeta, now_utc, software
from stinger.cli.options import ANY_PATH
from stinger.files import read_bytes, write_bytes
from stinger.mlmd import encode_mlmd, fingerprint, parse_mlmd


@click.command("export-model", short_help="Convert a model to a file for the blaster.")
@click.argument("model", type=ANY_PATH)
@click.option("-o", "--output", required=True, type=ANY_PATH, help="The file to write, such as ml_model_lr.bin.")
def export_model(model: str, output: str) -> None:
    """Convert MODEL to a file for the blaster.

    The blaster can run logreg on summary features (ml_model_lr.bin) and mlp with layers of 64 and 32 on rich features
    (ml_model_mlp.bin).
    """
    blaster_model = blaster_model_of(load_model(model))
    data = encode_mlmd(blaster_model)
    write_bytes(output, data)
    prints = ", ".join(f"{name}={value}" for name, value in fingerprint(blaster_model).items())
    click.echo(f"{output}: {len(data):,} bytes, {prints}")


@click.command("import-model", short_help="Convert a model file of the blaster to a model.")
@click.argument("file", type=ANY_PATH)
@click.option("-o", "--output", required=True, type=ANY_PATH, help="The file to write, such as model.onnx.")
def import_model(file: str, output: str) -> None:
    """Convert FILE, a model file of the blaster, to a model that gives the same probabilities."""
    data = read_bytes(file)
    model = parse_mlmd(data, file)
    meta = ModelMeta(
        spec="",
        software=software(),
        created=now_utc(),
        training={"imported": sha256(data).hexdigest()},
    )
    written = export_blaster_model(model, meta)
    open_model(written)
    write_bytes(output, written)
    click.echo(f"{output}: {len(written):,} bytes")
