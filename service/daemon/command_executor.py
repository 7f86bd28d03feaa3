"""Executes the commands that arrive over MQTT."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from service.daemon.device_forgetting import DeviceForgetter
from service.daemon.pipeline import Pipeline
from service.daemon.serving_model import ServingModel
from service.mqtt.commands import (
    AddNote,
    ChooseModel,
    Command,
    ForgetDevice,
    NotServedError,
    SetThreshold,
    StartRecording,
    StopRecording,
)
from service.recording.pacing import PacedRecorder
from service.recording.recorder import Recorder
from stinger.device_name import DeviceName
from stinger.errors import InputError


class CommandExecutor:
    """Executes commands for one known device, or for all; ``forget`` is for unknown devices too.

    ``shared``: other daemons with the same topic root serve other devices, and receive the same commands.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        recorder: Recorder,
        pacing: PacedRecorder,
        model: ServingModel,
        forgetter: DeviceForgetter,
        *,
        shared: bool = False,
    ) -> None:
        self._pipeline = pipeline
        self._recorder = recorder
        self._pacing = pacing
        self._model = model
        self._forgetter = forgetter
        self._shared = shared

    async def execute(self, command: Command) -> Mapping[str, Any]:
        """Execute ``command`` and return the resulting state.

        Raises :class:`NotServedError` for a device that another daemon may serve, :class:`InputError` for an unknown
        device and for a command that cannot be executed; nothing is changed then.
        """
        if isinstance(command, ForgetDevice):
            self._check_served(command.device)
            return {"forgotten": await self._forget(command.device)}
        devices = self._addressed(command.device)
        match command:
            case SetThreshold(threshold=threshold):
                self._pipeline.set_threshold(command.device, threshold)
                return {"threshold": threshold}
            case ChooseModel(model=choice):
                if command.device is not None:
                    raise InputError("one model scores all devices: publish to stinger/daemon/command/choose_model")
                return {"model": (await self._model.choose(choice)).version}
            case StartRecording():
                self._switch_recording(devices, self._recorder.start)
                return {"recording": True, "devices": list(devices)}
            case StopRecording():
                self._switch_recording(devices, self._recorder.stop)
                return {"recording": False, "devices": list(devices)}
            case AddNote(text=text):
                for device in devices:
                    self._recorder.note(device, text)
                return {"noted": list(devices)}

    def _addressed(self, device: DeviceName | None) -> Sequence[DeviceName]:
        """Return the known devices that a command for ``device`` is for; ``None``: all."""
        self._check_served(device)
        known = self._pipeline.devices
        if device is not None and device not in known:
            raise InputError(f"no device '{device}'")
        return known if device is None else (device,)

    def _check_served(self, device: DeviceName | None) -> None:
        if self._shared and device is not None and device not in self._pipeline.devices:
            raise NotServedError(f"no device '{device}' here")

    async def _forget(self, device: DeviceName | None) -> list[DeviceName]:
        if device is None:
            return await self._forgetter.forget_all()
        self._forgetter.forget(device)
        return [device]

    def _switch_recording(self, devices: Sequence[DeviceName], switch: Callable[[DeviceName], None]) -> None:
        """Start or stop the recording of ``devices``, after recording the samples that were read before."""
        for device in devices:
            self._pacing.release(device)
            switch(device)
