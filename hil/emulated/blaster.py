"""An emulated blaster without its link: sensor samples in, the state behind the serial commands out."""

from __future__ import annotations

from collections.abc import Callable

from hil.emulated.firing import Firing, Phase
from hil.emulated.inference import Inference
from hil.emulated.journal import Journal
from hil.emulated.log_memory import LogMemory
from hil.emulated.model_store import ModelStore
from models.decision_parameters import DecisionParameters
from stinger.errors import DeviceError
from stinger.sample import SampleArray
from stinger.wire.commands import LOG_REFUSALS, MODEL_REFUSALS, NEVER_MS, ModelSlot, ModelStatus


class EmulatedBlaster:
    """Implements :class:`~stinger.wire.device.Blaster` for a :class:`~stinger.wire.device.DeviceLink`.

    With ``usb_safe``, as in stock firmware, motors, logging and inference stop while a host has the port open; a shot
    in progress is finished. Inference continues while the host has a stream, which stock firmware does not have.
    ``logged`` is the initial content of the log; without it, a recording is started at once, as by a user.
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
        if logged is None:
            self.log.begin()
        self._usb_safe = usb_safe
        self._in_usb_mode = False
        self._streaming = False
        self._now_ms = 0
        self.refuses: Callable[[], bool] = lambda: False
        """Called for each request of the log or an upload; returns whether a fault refuses it as busy."""

    def take_sample(self, sample: SampleArray, time_ms: int, due_ns: int) -> int:
        """Process ``sample`` ``(1,)``, taken at ``time_ms`` of the device's clock; return its number in the journal."""
        number = self.journal.add(sample, time_ms, due_ns)
        self._now_ms = time_ms
        self.log.add(sample, paused=self._in_usb_mode)
        if self._in_usb_mode and not self._streaming:
            self.inference.skip_sample()
        if self._firing.pulls(pressed=bool(sample["trigger"][0])) and not self._in_usb_mode:
            self._firing.shoot(time_ms, wheels=self.inference.wheels())
        else:
            self.inference.sample_taken()
        return number

    def advance_clock(self, now_ms: int) -> None:
        """Set the device's clock to ``now_ms`` between samples; it never steps back."""
        self._now_ms = max(self._now_ms, now_ms)

    def set_host_connected(self, *, connected: bool) -> None:
        """Set whether a host has the port open."""
        self._in_usb_mode = connected and self._usb_safe

    def set_streaming(self, *, streaming: bool) -> None:
        """Set whether the host has a stream."""
        self._streaming = streaming

    def reboot(self) -> None:
        """Reboot; only the content of flash remains: the log and the uploaded models."""
        self.inference.reboot()
        self.models.reboot()
        self.inference.serve(self.models.serving)
        self.log.reboot()
        self._firing = Firing()
        self._now_ms = 0

    @property
    def phase(self) -> Phase:
        """The phase of the current shot, or IDLE."""
        return self._firing.phase(self._now_ms)

    def read_log(self) -> bytes:
        """See :class:`~stinger.wire.device.Blaster`. Raises :class:`DeviceError` while firing, and without samples."""
        if self.phase is not Phase.IDLE or self.refuses():
            raise _log_refusal("busy (firing)")
        if not self.log.exists:
            raise _log_refusal("no log file")
        if not len(self.log):
            raise _log_refusal("no log data")
        return self.log.to_bytes()

    def samples_written(self) -> int:
        """Return how many samples the log holds."""
        return len(self.log)

    def begin_upload(self) -> None:
        """Raise :class:`DeviceError` (``busy``) while firing."""
        if self.phase is not Phase.IDLE or self.refuses():
            raise DeviceError("busy", MODEL_REFUSALS["busy"])

    def store_model(self, slot: ModelSlot, data: bytes) -> None:
        """Store an uploaded file in flash."""
        self.models.store(slot, data)

    def load_model(self, slot: ModelSlot) -> None:
        """Use the model in ``slot``. Raises :class:`DeviceError` (``load``); a factory model may be in use then."""
        try:
            self.models.load(slot)
        finally:
            self.inference.serve(self.models.serving)

    def delete_models(self) -> None:
        """Delete uploaded files, and use the factory models."""
        self.models.delete()
        self.inference.serve(self.models.serving)

    def model_status(self) -> ModelStatus:
        """Return which model is in use."""
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
