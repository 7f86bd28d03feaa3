"""An emulated blaster, but for its link: sensor samples in, state behind the serial commands out."""

from __future__ import annotations

from collections.abc import Callable

from hil.emulated.firing import Firing, Phase
from hil.emulated.inference import Inference
from hil.emulated.journal import Journal
from hil.emulated.log_memory import LogMemory
from hil.emulated.model_store import ModelStore
from models.decision import DecisionParameters
from stinger.errors import DeviceError
from stinger.sample import SampleArray
from stinger.wire.commands import LOG_REFUSALS, MODEL_REFUSALS, NEVER_MS, ModelSlot, ModelStatus


class EmulatedBlaster:
    """Stands behind a :class:`~stinger.wire.device.DeviceLink`.

    With ``usb_safe``, as stock firmware has it, motors rest and logging pauses while a host has the port open; a shot
    that is under way is finished. ``logged`` is what the log holds at first.
    """

    def __init__(
        self,
        *,
        logged: SampleArray | None = None,
        serve_lr: bool = False,
        usb_safe: bool = True,
        decision: DecisionParameters | None = None,
    ) -> None:
        self.journal = Journal()
        self.log = LogMemory(logged)
        self.models = ModelStore(serve_lr=serve_lr)
        self.inference = Inference(self.journal, self.models.serving, decision)
        self._firing = Firing()
        self._usb_safe = usb_safe
        self._in_usb_mode = False
        self._now_ms = 0
        self.refuses: Callable[[], bool] = lambda: False
        """Whether the log or upload that is asked for now is refused all the same, as by a blaster that is firing."""

    def take(self, sample: SampleArray, time_ms: int, due_ns: int) -> int:
        """Sense ``sample`` ``(1,)`` at ``time_ms`` of the device's clock; return its number in the journal."""
        number = self.journal.add(sample, time_ms, due_ns)
        self._now_ms = time_ms
        self.log.take(sample, paused=self._in_usb_mode)
        if self._firing.pulls(pressed=bool(sample["trigger"][0])) and not self._in_usb_mode:
            self._firing.shoot(time_ms, wheels=self.inference.wheels())
        else:
            self.inference.sample_taken()
        return number

    def pass_time(self, now_ms: int) -> None:
        """Say what the device's clock shows, while no sample comes."""
        self._now_ms = max(self._now_ms, now_ms)

    def host(self, *, connected: bool) -> None:
        """A host opened or closed the port."""
        self._in_usb_mode = connected and self._usb_safe

    def reboot(self) -> None:
        """Start over, with what is in flash: the log and the uploaded models."""
        self.inference.restart()
        self.models.restart()
        self.inference.serve(self.models.serving)
        self.log.restart()
        self._firing = Firing()
        self._now_ms = 0

    @property
    def phase(self) -> Phase:
        """Where the blaster is in a shot."""
        return self._firing.phase(self._now_ms)

    def read_log(self) -> bytes:
        """See :class:`~stinger.wire.device.Blaster`; refuses while firing, and an empty log."""
        if self.phase is not Phase.IDLE or self.refuses():
            raise _log_refusal("busy (firing)")
        if not len(self.log):
            raise _log_refusal("no log data")
        return self.log.to_bytes()

    def samples_written(self) -> int:
        """How many samples the log holds."""
        return len(self.log)

    def begin_upload(self) -> None:
        """Raise :class:`DeviceError` (``busy``) while firing."""
        if self.phase is not Phase.IDLE or self.refuses():
            raise DeviceError("busy", MODEL_REFUSALS["busy"])

    def store_model(self, slot: ModelSlot, data: bytes) -> None:
        """Keep an uploaded file in flash."""
        self.models.store(slot, data)

    def load_model(self, slot: ModelSlot) -> None:
        """Let the file in ``slot`` serve. Raises :class:`DeviceError` (``load``); the factory's may serve then."""
        try:
            self.models.load(slot)
        finally:
            self.inference.serve(self.models.serving)

    def delete_models(self) -> None:
        """Forget uploaded files; the factory models serve."""
        self.models.delete()
        self.inference.serve(self.models.serving)

    def model_status(self) -> ModelStatus:
        """What serves now."""
        age_ms = self.inference.output_age_ms(self._now_ms)
        models = self.models
        return ModelStatus(
            source="user" if (models.user_lr if models.serving_lr else models.user_mlp) else "factory",
            user_model_present=models.has_files,
            user_has_lr=models.user_lr,
            user_has_mlp=models.user_mlp,
            cached_age_ms=NEVER_MS if age_ms is None else min(age_ms, NEVER_MS),
            fingerprints=models.fingerprints,
        )


def _log_refusal(reason: str) -> DeviceError:
    return DeviceError(reason, LOG_REFUSALS[reason])
