"""Uploads models to a blaster, loads them, and verifies that the blaster uses exactly these."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from service.round_trip.blaster_client import BlasterClient
from stinger.errors import DeviceError, FileError, InputError, ProtocolError
from stinger.files import StrPath, read_bytes
from stinger.mlmd import MAGIC, BlasterModel, LrModel, encode_mlmd, fingerprint, parse_mlmd
from stinger.packages import install_command
from stinger.wire.commands import NEVER_MS, ModelSlot, ModelStatus
from stinger.wire.host import DeleteModels, LoadModel, UploadModel

LR_FILE: Final = "ml_model_lr.bin"
MLP_FILE: Final = "ml_model_mlp.bin"
"""Names of the two files, as the blaster's own tools use them."""
ATTEMPTS: Final = 3
"""Number of times that an upload is tried if the blaster refuses it for a temporary reason."""

_TEMPORARY: Final = {
    "crc": "arrived damaged",
    "timeout": "did not arrive completely",
    "busy": "has to wait because the blaster is firing",
}
_TOLERANCE: Final = 1.5e-6
"""Tolerance of fingerprints: they are printed with six decimals, and printf rounds the last one differently."""


@dataclass(frozen=True, slots=True, eq=False)
class Upload:
    """A model for a ``slot`` of the blaster.

    ``path`` is the file that it was read from, ``data`` the bytes to upload.
    """

    slot: ModelSlot
    path: str
    model: BlasterModel
    data: bytes


def read_upload(path: StrPath, slot: ModelSlot) -> Upload:
    """Read a model for ``slot`` from ``path``: a file for the blaster, or a model file of this program.

    Raises :class:`FileError` if it cannot be read, is not a model for the blaster, or belongs in the other slot.
    """
    data = read_bytes(path)
    if not data.startswith(MAGIC) and Path(path).suffix.lower() == ".onnx":
        model = _convert_onnx(path)
        data = encode_mlmd(model)
    else:
        model = parse_mlmd(data, path)
    is_lr = isinstance(model, LrModel)
    if slot is not ModelSlot.SINGLE and is_lr != (slot is ModelSlot.LR):
        found, option = ("an LR model (logreg:summary)", "--lr") if is_lr else ("an MLP (mlp:rich)", "--mlp")
        raise FileError(path, f"is {found}: pass it with {option}")
    return Upload(slot, str(path), model, data)


def uploads_in(path: Path) -> list[Upload]:
    """Read the models in a folder by their usual names; or a single file, for the single slot of older firmware."""
    if not path.is_dir():  # also if it does not exist: reading it raises the error
        return [read_upload(path, ModelSlot.SINGLE)]
    names = {LR_FILE: ModelSlot.LR, MLP_FILE: ModelSlot.MLP}
    uploads = [read_upload(path / name, slot) for name, slot in names.items() if (path / name).is_file()]
    if not uploads:
        raise FileError(path, f"holds no model for the blaster: expected {' or '.join(names)} in it")
    return uploads


def push_models(client: BlasterClient, uploads: Sequence[Upload], *, load: bool) -> ModelStatus:
    """Upload and load each model, compare the models in use with those sent, and return the final status.

    Without ``load`` they are only stored: the blaster uses them when it is next switched on. The first refusal ends the
    operation; completed steps are not undone.
    """
    for upload in uploads:
        _upload(client, upload)
        client.notify(f"{upload.path}: uploaded, {len(upload.data):,} bytes")
    for upload in uploads if load else ():
        try:
            client.request(LoadModel(upload.slot))
        except DeviceError as refused:
            raise DeviceError(refused.reason, f"{upload.path}: {refused}") from refused
    status = client.status()
    for upload in uploads if load else ():
        client.notify(_compare(upload, status))
    return status


def delete_models(client: BlasterClient) -> ModelStatus:
    """Delete all uploaded models from the blaster, and return the final status."""
    client.request(DeleteModels())
    return client.status()


def describe_status(status: ModelStatus) -> list[tuple[str, str]]:
    """Return the status of a blaster's models as labels and texts for a user."""
    uploaded = [name for name, has in (("LR", status.user_has_lr), ("MLP", status.user_has_mlp)) if has]
    source = {"factory": "factory", "user": "uploaded"}.get(status.source, status.source)
    return [
        ("model in use", source),
        (
            "uploaded models",
            " and ".join(uploaded) if uploaded else "in flash, not loaded" if status.user_model_present else "none",
        ),
        ("last output", "none yet" if status.cached_age_ms == NEVER_MS else f"{status.cached_age_ms:,} ms ago"),
        *status.fingerprints.items(),
    ]


def _convert_onnx(path: StrPath) -> BlasterModel:
    # Imported only here: files for the blaster need neither ONNX nor ONNX Runtime, which may not be installed.
    try:
        from models.graph.export import blaster_model_of  # noqa: PLC0415
        from models.model_file import load_model  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise FileError(
            path, f"converting it for the blaster needs the package {error.name}: run {install_command('all')}"
        ) from error
    model = load_model(path)
    try:
        return blaster_model_of(model)
    except InputError as error:
        raise FileError(path, str(error)) from error


def _upload(client: BlasterClient, upload: Upload) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        exchange = UploadModel(upload.slot, upload.data)
        exchange.timeout_s = client.timeouts.upload_s
        try:
            client.request(exchange)
        except DeviceError as refused:
            if refused.reason not in _TEMPORARY or attempt == ATTEMPTS:
                times = f", {attempt} times" if attempt > 1 else ""
                raise DeviceError(refused.reason, f"{upload.path}: {refused}{times}") from refused
            problem = _TEMPORARY[refused.reason]
            if refused.reason == "busy":
                time.sleep(client.timeouts.busy_retry_s)
        except ProtocolError as no_response:
            if not exchange.advance:
                hint = (
                    ""
                    if upload.slot is ModelSlot.SINGLE
                    else "; older firmware accepts a single file only: pass it with --in"
                )
                raise ProtocolError(f"{upload.path}: {no_response}{hint}") from no_response
            if attempt == ATTEMPTS:
                raise ProtocolError(f"{upload.path}: {no_response}, {attempt} times") from no_response
            problem = "was sent but not confirmed"
            client.synchronise()
        else:
            return
        client.notify(f"{upload.path} {problem}: trying again ({attempt + 1} of {ATTEMPTS})")


def _compare(upload: Upload, status: ModelStatus) -> str:
    """Return a line that confirms that ``upload`` is in use. Raises :class:`ProtocolError` if another model is."""
    if not status.fingerprints:
        return f"{upload.path}: loaded, but not verified: this firmware does not report its weights"
    for name, sent in fingerprint(upload.model).items():
        reported = status.fingerprints.get(name, "nothing")
        if not _equal(sent, reported):
            raise ProtocolError(
                f"{upload.path}: the blaster uses another model than the one sent: {name} is {reported}, expected {sent}; "
                "switch it off and on, and push again"
            )
    return f"{upload.path}: loaded and verified: the blaster's weights are those of the file"


def _equal(sent: str, reported: str) -> bool:
    try:
        return abs(float(sent) - float(reported)) <= _TOLERANCE
    except ValueError:
        return False
