"""The sink that reports to the partitions of a stream what has been processed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from service.base.events import Event, WheelsSwitched
from service.base.sink import Sink
from service.base.source import Block
from service.base.states import Stamps
from service.sources.nats_partition import Partition
from stinger.device_name import DeviceName


class ProgressSink(Sink):
    """Reports to the partition of each device what has been processed."""

    def __init__(self, partitions: Mapping[DeviceName, Partition]) -> None:
        self._partitions = partitions

    def on_event(self, event: Event, stamps: Stamps | None) -> None:
        """See :class:`service.base.sink.Sink`."""
        del stamps
        if isinstance(event, WheelsSwitched):
            partition = self._partitions.get(event.device)
            if partition is not None:
                partition.switched(event.device, on=event.on)

    def on_scores(self, block: Block, probability: npt.NDArray[np.float32], stamps: Stamps) -> None:
        """See :class:`service.base.sink.Sink`."""
        del probability, stamps
        partition = self._partitions.get(block.device) if block.position else None
        if partition is not None:
            partition.scored(block.position)
