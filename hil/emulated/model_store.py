"""The models on a blaster: two factory models, what was uploaded, and which of them serve."""

from __future__ import annotations

from typing import Final

from hil.emulated.factory import factory_models
from stinger.errors import DeviceError
from stinger.mlmd import BlasterModel, LrModel, MlmdError, MlmdRefusal, decode_mlmd, fingerprint
from stinger.wire.commands import MODEL_REFUSALS, ModelSlot

_READ_LAST: Final = {MlmdRefusal.CRC, MlmdRefusal.NOT_FINITE}
"""What shows only once the weights have been read over those that served: then nothing but the factory's is left."""


class ModelStore:
    """Files in flash, and the models in memory. ``serving_lr`` says which of the two kinds is asked for outputs."""

    def __init__(self, *, serve_lr: bool = False) -> None:
        self._files: dict[ModelSlot, bytes] = {}
        self._lr: BlasterModel
        self._mlp: BlasterModel
        self._serve_lr_at_first = serve_lr
        self._forget()

    @property
    def serving(self) -> BlasterModel:
        """The model that the outputs come from."""
        return self._lr if self.serving_lr else self._mlp

    @property
    def fingerprints(self) -> dict[str, str]:
        """Of both models in memory, in the order of ``MLMODEL_INFO``."""
        return fingerprint(self._lr) | fingerprint(self._mlp)

    @property
    def has_files(self) -> bool:
        """Whether anything was uploaded and not deleted."""
        return bool(self._files)

    def store(self, slot: ModelSlot, data: bytes) -> None:
        """Keep an uploaded file; nothing serves anew before it is loaded."""
        self._files[slot] = data

    def load(self, slot: ModelSlot) -> None:
        """Let the file in ``slot`` serve. Raises :class:`DeviceError` (``load``) if it is missing or unfit.

        If the weights of a file turn out damaged, the model of its slot is the factory's again; a file that is refused
        before that leaves what served.
        """
        try:
            model = decode_mlmd(self._files[slot])
        except KeyError as error:
            raise _refused() from error
        except MlmdError as error:
            if error.refusal in _READ_LAST:
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
        """Forget every file; the factory models serve."""
        self._files.clear()
        self._forget()

    def restart(self) -> None:
        """Boot: load what is in flash; what is unfit leaves the factory's in its place."""
        serving_lr = self.serving_lr
        self._forget()
        for slot in (ModelSlot.SINGLE, ModelSlot.LR, ModelSlot.MLP):
            if slot in self._files:
                try:
                    self.load(slot)
                except DeviceError:
                    continue
        self.serving_lr = serving_lr

    def _forget(self) -> None:
        self._lr, self._mlp = factory_models()
        self.user_lr = self.user_mlp = False
        self.serving_lr = self._serve_lr_at_first

    def _fall_back(self, slot: ModelSlot) -> None:
        lr, mlp = factory_models()
        if slot is not ModelSlot.MLP:
            self._lr, self.user_lr = lr, False
        if slot is not ModelSlot.LR:
            self._mlp, self.user_mlp = mlp, False


def _refused() -> DeviceError:
    return DeviceError("load", MODEL_REFUSALS["load"])
