"""The models on a blaster: two factory models, uploaded files, and the models in use."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from hil.emulated.factory import factory_models
from stinger.errors import DeviceError
from stinger.mlmd import BlasterModel, LrModel, MlmdError, MlmdRefusal, decode_mlmd, encode_mlmd, fingerprint
from stinger.wire.commands import MODEL_REFUSALS, ModelSlot

_FOUND_TOO_LATE: Final = {MlmdRefusal.CRC, MlmdRefusal.NOT_FINITE}
"""Errors found only after the weights in use have been overwritten: only the factory model is left then."""
_TYPE_AT: Final = 8
_HIDDEN_AT: Final = slice(12, 16)
_PAYLOAD_BYTES_AT: Final = slice(16, 20)
_HEADER_BYTES: Final = 24
_NOT_FINITE: Final = "WARNING: user {} model contains NaN/Inf, reverting to factory"


class ModelStore:
    """Files in flash, and one model of each kind in memory; ``serving_lr`` selects which of the two is in use."""

    def __init__(self, *, serve_lr: bool = False) -> None:
        self._files: dict[ModelSlot, bytes] = {}
        self._lr: BlasterModel
        self._mlp: BlasterModel
        self._initially_lr = serve_lr
        self._use_factory_models()

    @property
    def serving(self) -> BlasterModel:
        """The model in use."""
        return self._lr if self.serving_lr else self._mlp

    @property
    def fingerprints(self) -> dict[str, str]:
        """The fingerprints of both models in memory, in the order of ``MLMODEL_INFO``."""
        return fingerprint(self._lr) | fingerprint(self._mlp)

    @property
    def has_files(self) -> bool:
        """Whether there are uploaded files."""
        return bool(self._files)

    def store(self, slot: ModelSlot, data: bytes) -> None:
        """Store an uploaded file; it is not used before it is loaded."""
        self._files[slot] = data

    def load(self, slot: ModelSlot) -> None:
        """Use the model in ``slot``. Raises :class:`DeviceError` (``load``) if the file is missing or invalid.

        If its weights turn out to be damaged, the factory model of that kind is used; a file that is refused before its
        weights are read changes nothing. If they are cut short, the factory model of that kind is loaded in their
        place.
        """
        if slot not in self._files:
            raise _refused()
        data = _as_the_firmware_reads(self._files[slot])
        try:
            model = decode_mlmd(data)
        except MlmdError as error:
            is_lr = data[_TYPE_AT : _TYPE_AT + 1] == b"\0"
            if error.refusal in _FOUND_TOO_LATE and _may_be_in(slot, is_lr=is_lr):
                self._fall_back(is_lr=is_lr)
                if error.refusal is MlmdRefusal.NOT_FINITE:
                    raise _refused(_NOT_FINITE.format("LR" if is_lr else "MLP")) from error
            raise _refused() from error
        is_lr = isinstance(model, LrModel)
        if not _may_be_in(slot, is_lr=is_lr):
            raise _refused()
        if is_lr:
            self._lr, self.user_lr = model, True
        else:
            self._mlp, self.user_mlp = model, True
        self.serving_lr = is_lr

    def delete(self) -> None:
        """Delete every file; the factory models are used again."""
        self._files.clear()
        self._use_factory_models()

    def reboot(self) -> None:
        """Reboot: load the files in flash; in place of an invalid one, the factory model is used."""
        serving_lr = self.serving_lr
        self._use_factory_models()
        stored = set(self._files)
        if stored & {ModelSlot.LR, ModelSlot.MLP}:
            stored.discard(ModelSlot.SINGLE)  # the file of older firmware counts only without the two others
        for slot in ModelSlot:
            if slot in stored:
                with suppress(DeviceError):
                    self.load(slot)
        self.serving_lr = serving_lr

    def _use_factory_models(self) -> None:
        self._lr, self._mlp = factory_models()
        self.user_lr = self.user_mlp = False
        self.serving_lr = self._initially_lr

    def _fall_back(self, *, is_lr: bool) -> None:
        lr, mlp = factory_models()
        if is_lr:
            self._lr, self.user_lr = lr, False
        else:
            self._mlp, self.user_mlp = mlp, False


def _may_be_in(slot: ModelSlot, *, is_lr: bool) -> bool:
    return slot is ModelSlot.SINGLE or is_lr == (slot is ModelSlot.LR)


def _as_the_firmware_reads(data: bytes) -> bytes:
    """Return the file as the firmware reads it, where that differs from the format.

    Bytes after the payload are ignored, and so are the widths of hidden layers in an LR file. Where the weights are cut
    short, those of the factory model are used.
    """
    if len(data) < _HEADER_BYTES:
        return data
    is_lr = data[_TYPE_AT] == 0
    header = bytearray(data[:_HEADER_BYTES])
    if is_lr:
        header[_HIDDEN_AT] = bytes(4)
    announced = int.from_bytes(header[_PAYLOAD_BYTES_AT], "little")
    payload = data[_HEADER_BYTES : _HEADER_BYTES + announced]
    factory = encode_mlmd(factory_models()[0 if is_lr else 1])
    if len(payload) < announced and announced == len(factory) - _HEADER_BYTES and data[:4] == factory[:4]:
        return factory
    return bytes(header) + payload


def _refused(*lines: str) -> DeviceError:
    return DeviceError("load", MODEL_REFUSALS["load"], lines=lines)
