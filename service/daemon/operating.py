"""What becomes of the daemon's flow, recorder and model when somebody asks over MQTT."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from service.daemon.flow import Flow
from service.daemon.serving_model import ServingModel
from service.mqtt.commands import AddNote, ChooseModel, Command, SetThreshold, StartRecording, StopRecording
from service.recording.pacing import PacedRecorder
from service.recording.recorder import Recorder
from stinger.errors import InputError


class Operating:
    """Does what a command says. ``on_threshold`` is called after the threshold of a device, or of all, was changed."""

    def __init__(
        self,
        flow: Flow,
        recorder: Recorder,
        pace: PacedRecorder,
        model: ServingModel,
        on_threshold: Callable[[], None],
    ) -> None:
        self._flow = flow
        self._recorder = recorder
        self._pace = pace
        self._model = model
        self._on_threshold = on_threshold

    async def obey(self, command: Command) -> Mapping[str, Any]:
        """Do it and return what is so now. Raises :class:`InputError` for what cannot be done."""
        devices = self._flow.devices if command.device is None else (command.device,)
        match command:
            case SetThreshold(threshold=on):
                parameters = self._flow.set_threshold(command.device, on)
                self._on_threshold()
                return {"threshold": parameters.on}
            case ChooseModel(model=choice):
                if command.device is not None:
                    raise InputError("one model scores all devices: ask on stinger/daemon/command/choose_model")
                return {"model": (await self._model.choose(choice)).version}
            case StartRecording():
                for device in devices:
                    self._pace.release(device)
                    self._recorder.start(device)
                return {"recording": True, "devices": list(devices)}
            case StopRecording():
                for device in devices:
                    self._pace.release(device)
                    self._recorder.stop(device)
                return {"recording": False, "devices": list(devices)}
            case AddNote(text=text):
                for device in devices:
                    self._recorder.note(device, text)
                return {"noted": list(devices)}
