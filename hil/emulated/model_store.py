"""The models on a blaster: two factory models, uploaded files, and the models in use."""

from __future__ import annotations

from typing import Final

from hil.emulated.factory import factory_models
from stinger.errors import DeviceError
from stinger.mlmd import BlasterModel, LrModel, MlmdError, MlmdRefusal, decode_mlmd, fingerprint
from stinger.wire.commands import MODEL_REFUSALS, ModelSlot

_FOUND_TOO_LATE: Final = {MlmdRefusal.CRC, MlmdRefusal.NOT_FINITE}
"""Errors found only after the weights in use have been overwritten: only the factory model is left then."""


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
        weights are read changes nothing.
        """
        try:
            model = decode_mlmd(self._files[slot])
        except KeyError as error:
            raise _refused() from error
        except MlmdError as error:
            if error.refusal in _FOUND_TOO_LATE:
                self._fall_back(slot)
            raise _refused() from error
        is_lr = isinstance(model, LrModel)
        if slot is not ModelSlot.SINGLE and is_lr != (slot is ModelSlot.LR):
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
        for slot in (ModelSlot.SINGLE, ModelSlot.LR, ModelSlot.MLP):
            if slot in self._files:
                try:
                    self.load(slot)
                except DeviceError:
                    continue
        self.serving_lr = serving_lr

    def _use_factory_models(self) -> None:
        self._lr, self._mlp = factory_models()
        self.user_lr = self.user_mlp = False
        self.serving_lr = self._initially_lr

    def _fall_back(self, slot: ModelSlot) -> None:
        lr, mlp = factory_models()
        if slot is not ModelSlot.MLP:
            self._lr, self.user_lr = lr, False
        if slot is not ModelSlot.LR:
            self._mlp, self.user_mlp = mlp, False


def _refused() -> DeviceError:
    return DeviceError("load", MODEL_REFUSALS["load"])
