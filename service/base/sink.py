"""The interface that the pipeline calls with all that it produces: `Sink`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from service.base.events import Event
from service.base.source import Block, LinkReport
from service.base.states import ModelInUse, ScoredBlocks, ScoredSingles, Stamps
from stinger.device_name import DeviceName


class Sink:
    """A receiver of everything that the pipeline produces. Each method does nothing unless a subclass overrides it.

    No method may block, and none may raise for a problem of its own, such as a full disk or an unreachable broker: an
    exception ends the daemon.
    """

    def on_device(self, device: DeviceName) -> None:
        """Handle a new device. Comes before every other call for it, and is followed by :meth:`on_model`."""

    def on_forget(self, device: DeviceName) -> None:
        """Handle that a device is no longer known. If it returns, it is new: :meth:`on_device` comes first again."""

    def on_release(self, device: DeviceName) -> None:
        """Handle that another daemon serves a device from now on, and publishes its states.

        If the device returns, it is new.
        """

    def on_model(self, model: ModelInUse) -> None:
        """Handle another model, or another threshold, for a device."""

    def on_blocks(self, blocks: Sequence[Block]) -> None:
        """Handle the samples of several devices that are about to be scored.

        The default calls :meth:`on_samples` for each.
        """
        for block in blocks:
            self.on_samples(block)

    def on_samples(self, block: Block) -> None:
        """Handle samples that are about to be scored."""

    def on_model_run(self, samples: int, duration_ns: int) -> None:
        """Handle the end of one run of the model, which scored ``samples`` samples."""

    def on_event(self, event: Event, stamps: Stamps | None) -> None:
        """Handle an event. ``stamps`` are those of the block that caused it; ``None`` if the lack of samples did."""

    def on_scored(self, scored: ScoredBlocks) -> None:
        """Handle the scores of several devices; by default with :meth:`on_scores` for each. Comes after the events."""
        for block, probability, stamps in scored.each():
            self.on_scores(block, probability, stamps)

    def on_scores(self, block: Block, probability: npt.NDArray[np.float32], stamps: Stamps) -> None:
        """Handle the scores ``(n,)`` of a block, NaN for a sample without one.

        Comes after the events that they caused.
        """

    def takes_singles(self) -> bool:
        """Return whether samples may now be passed to :meth:`on_single` instead of in blocks."""
        return True

    def on_single(self, device: DeviceName, record: bytes, time_ms: int, read_ns: int) -> bool:
        """Handle what cannot wait of a sample that arrived alone; the rest comes with :meth:`on_singles`.

        Return False, with nothing done, if it must come in a block. Only one sink can have this method.
        """
        del device, record, time_ms, read_ns
        return True

    def on_singles(self, singles: ScoredSingles) -> None:
        """Handle samples that arrived one by one: after the events in them, and within half a second.

        For these samples, :meth:`on_blocks`, :meth:`on_model_run` and :meth:`on_scored` are not called. A sink that has
        one of these, and no method for singles, gets all samples in blocks.
        """

    def on_link(self, report: LinkReport) -> None:
        """Handle a link report, which may repeat the one before it."""

    def on_gap(self, device: DeviceName) -> None:
        """Handle a gap in a device's samples, after which its window was restarted."""
