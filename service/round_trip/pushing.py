"""Models brought to a blaster: uploaded, loaded, and found to be what was sent."""

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
from stinger.wire.commands import NEVER_MS, ModelSlot, ModelStatus
from stinger.wire.host import DeleteModels, LoadModel, UploadModel

LR_FILE: Final = "ml_model_lr.bin"
MLP_FILE: Final = "ml_model_mlp.bin"
"""What the blaster's own tools call the two files, in whatever folder."""
ATTEMPTS: Final = 3
"""An upload that the blaster refuses for a reason that passes is tried so many times."""

_PASSING: Final = {
    "crc": "arrived damaged",
    "timeout": "did not arrive whole",
    "busy": "has to wait, as the blaster is firing",
}
_SAME: Final = 1.5e-6
"""Fingerprints are printed with six decimals, and not every firmware's printf rounds the last one alike."""


@dataclass(frozen=True, slots=True, eq=False)
class Upload:
    """A model for a ``slot`` of the blaster; ``path`` is where it is from."""

    slot: ModelSlot
    path: str
    model: BlasterModel
    data: bytes


def read_upload(path: StrPath, slot: ModelSlot) -> Upload:
    """The model in ``path``, a file for the blaster or a model file of ours, for ``slot``.

    Raises :class:`FileError` if it cannot be read, is no model for the blaster, or belongs into the other slot.
    """
    data = read_bytes(path)
    if not data.startswith(MAGIC) and Path(path).suffix.lower() == ".onnx":
        model = _of_onnx(path)
        data = encode_mlmd(model)
    else:
        model = parse_mlmd(data, path)
    is_lr = isinstance(model, LrModel)
    if slot is not ModelSlot.SINGLE and is_lr != (slot is ModelSlot.LR):
        found, option = ("an LR model (logreg:summary)", "--lr") if is_lr else ("an MLP (mlp:rich)", "--mlp")
        raise FileError(path, f"is {found}: give it with {option}")
    return Upload(slot, str(path), model, data)


def uploads_in(path: Path) -> list[Upload]:
    """The models in a folder, by the names that they have there; or a single file, for the one slot of older firmware."""
    if not path.is_dir():  # a path that leads nowhere as well, which is told when it is read
        return [read_upload(path, ModelSlot.SINGLE)]
    names = {LR_FILE: ModelSlot.LR, MLP_FILE: ModelSlot.MLP}
    uploads = [read_upload(path / name, slot) for name, slot in names.items() if (path / name).is_file()]
    if not uploads:
        raise FileError(path, f"holds no model for the blaster: expected {' or '.join(names)} in it")
    return uploads


def push_models(client: BlasterClient, uploads: Sequence[Upload], *, load: bool) -> ModelStatus:
    """Upload each of ``uploads``, load it, and compare what then serves with what was sent; the status in the end.

    Without ``load`` they are only stored: the blaster takes them when it is switched on the next time. The first refusal
    ends it, with what was done before it done.
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
    """Have the blaster forget every uploaded model; the status in the end."""
    client.request(DeleteModels())
    return client.status()


def describe_status(status: ModelStatus) -> list[tuple[str, str]]:
    """What a blaster says of its models, as labels and texts for a user."""
    own = [name for name, there in (("LR", status.user_has_lr), ("MLP", status.user_has_mlp)) if there]
    source = {"factory": "the factory's own", "user": "an uploaded one"}.get(status.source, status.source)
    return [
        ("model in use", source),
        (
            "uploaded models",
            " and ".join(own) if own else "in flash, not loaded" if status.user_model_present else "none",
        ),
        ("last output", "none yet" if status.cached_age_ms == NEVER_MS else f"{status.cached_age_ms:,} ms ago"),
        *status.fingerprints.items(),
    ]


def _of_onnx(path: StrPath) -> BlasterModel:
    # Imported only here: it takes a second to load, and files for the blaster need none of it.
    try:
        from models.graph.export import blaster_model_of  # noqa: PLC0415
        from models.model_file import load_model  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise FileError(
            path, f"needs the package {error.name} to become a file for the blaster: run pip install 'stinger-ml[all]'"
        ) from error
    model = load_model(path)
    try:
        return blaster_model_of(model)
    except InputError as error:
        raise FileError(path, str(error)) from error


def _upload(client: BlasterClient, upload: Upload) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        exchange = UploadModel(upload.slot, upload.data)
        try:
            client.request(exchange)
        except DeviceError as refused:
            if refused.reason not in _PASSING or attempt == ATTEMPTS:
                times = f", {attempt} times" if attempt > 1 else ""
                raise DeviceError(refused.reason, f"{upload.path}: {refused}{times}") from refused
            problem = _PASSING[refused.reason]
            if refused.reason == "busy":
                time.sleep(client.timeouts.busy_retry_s)
        except ProtocolError as silent:
            if not exchange.advance:
                hint = (
                    ""
                    if upload.slot is ModelSlot.SINGLE
                    else "; older firmware takes one file alone: give it with --in"
                )
                raise ProtocolError(f"{upload.path}: {silent}{hint}") from silent
            if attempt == ATTEMPTS:
                raise ProtocolError(f"{upload.path}: {silent}, {attempt} times") from silent
            problem = "was sent and not answered"
            client.synchronise()
        else:
            return
        client.notify(f"{upload.path} {problem}: trying again ({attempt + 1} of {ATTEMPTS})")


def _compare(upload: Upload, status: ModelStatus) -> str:
    """A line that says that ``upload`` serves. Raises :class:`ProtocolError` if another model does."""
    if not status.fingerprints:
        return f"{upload.path}: loaded; this firmware does not tell the weights that it uses, so nothing to compare"
    for name, sent in fingerprint(upload.model).items():
        told = status.fingerprints.get(name, "nothing")
        if not _same(sent, told):
            raise ProtocolError(
                f"{upload.path}: the blaster uses another model than the one sent: {name} is {told}, expected {sent}; "
                "switch it off and on, and push again"
            )
    return f"{upload.path}: loaded, and the blaster's weights are those of the file"


def _same(sent: str, told: str) -> bool:
    try:
        return abs(float(sent) - float(told)) <= _SAME
    except ValueError:
        return False
