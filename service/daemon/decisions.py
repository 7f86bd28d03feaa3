"""Which decision parameters apply to each device: those of the model in use, at the threshold that counts."""

from __future__ import annotations

from collections.abc import Mapping

from models.choice import ChosenModel
from models.decision_parameters import DecisionParameters
from models.threshold import Threshold
from stinger.device_name import DeviceName


class Decisions:
    """The decision parameters of every device.

    The threshold is the one that was set for the device, else the one that was set for all devices, else the configured
    one, else the model's own. Devices need not be known.
    """

    def __init__(self, serving: ChosenModel, configured: Threshold | None) -> None:
        self._serving = serving
        self._configured = configured
        self._thresholds: dict[DeviceName, Threshold] = {}
        self._common = self._configured_decision()

    @property
    def thresholds(self) -> Mapping[DeviceName, Threshold]:
        """Thresholds that were set for single devices."""
        return self._thresholds

    def of(self, device: DeviceName) -> DecisionParameters:
        """Return the parameters of the decision for a device."""
        threshold = self._thresholds.get(device)
        return self._common if threshold is None else self._common.at(threshold)

    def use_model(self, serving: ChosenModel) -> None:
        """Use another model's parameters.

        A threshold that was set for all devices is dropped, as it was meant for the old model.
        """
        self._serving = serving
        self._common = self._configured_decision()

    def configure(self, threshold: Threshold | None) -> None:
        """Use ``threshold`` for all devices and every model; ``None``: each model's own.

        Every threshold that was set is dropped.
        """
        self._configured = threshold
        self._common = self._configured_decision()
        self._thresholds.clear()

    def set_threshold(self, device: DeviceName | None, threshold: Threshold) -> None:
        """Set the threshold of one device, or of all, which drops those that were set for single devices."""
        if device is None:
            self._common = self._common.at(threshold)
            self._thresholds.clear()
        else:
            self._thresholds[device] = threshold

    def reset_threshold(self, device: DeviceName) -> bool:
        """Drop the threshold that was set for ``device``; return False if none was."""
        return self._thresholds.pop(device, None) is not None

    def _configured_decision(self) -> DecisionParameters:
        own = self._serving.model.meta.decision
        return own if self._configured is None else own.at(self._configured)
