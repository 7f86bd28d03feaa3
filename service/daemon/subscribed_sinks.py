"""The sinks of a pipeline, by what they receive."""

from __future__ import annotations

from service.base.sink import Sink


class SubscribedSinks:
    """All sinks, in the order in which they were added.

    What is called for every block leaves out sinks that do nothing then.
    """

    def __init__(self) -> None:
        self.all: tuple[Sink, ...] = ()
        self.samples: tuple[Sink, ...] = ()
        """Those that receive samples."""
        self.scores: tuple[Sink, ...] = ()
        """Those that receive scores."""
        self.model_runs: tuple[Sink, ...] = ()
        """Those that receive the duration of each run of the model."""

    def add(self, sink: Sink) -> None:
        """Add a sink after the others."""
        self.all += (sink,)
        if _overrides(sink, "on_samples", "on_blocks"):
            self.samples += (sink,)
        if _overrides(sink, "on_scores", "on_scored"):
            self.scores += (sink,)
        if _overrides(sink, "on_model_run"):
            self.model_runs += (sink,)


def _overrides(sink: Sink, *methods: str) -> bool:
    """Return whether a sink does something in one of these methods of :class:`Sink`."""
    return any(getattr(type(sink), name) is not getattr(Sink, name) for name in methods)
