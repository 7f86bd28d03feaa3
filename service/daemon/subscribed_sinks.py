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
        self.single: Sink | None = None
        """The one that handles single samples at once."""
        self.singles: tuple[Sink, ...] = ()
        """Those that handle them later, together."""
        self._only_blocks = False

    def add(self, sink: Sink) -> None:
        """Add a sink after the others."""
        self.all += (sink,)
        if _overrides(sink, "on_samples", "on_blocks"):
            self.samples += (sink,)
        if _overrides(sink, "on_scores", "on_scored"):
            self.scores += (sink,)
        if _overrides(sink, "on_model_run"):
            self.model_runs += (sink,)
        if _overrides(sink, "on_single"):
            assert self.single is None, "a sample that one sink has handled could be refused by the other"
            self.single = sink
        if _overrides(sink, "on_singles"):
            self.singles += (sink,)
        if sink in self.samples + self.scores + self.model_runs:
            self._only_blocks |= not _overrides(sink, "takes_singles", "on_single", "on_singles")

    def take_singles(self) -> bool:
        """Return whether every sink can now handle samples one by one."""
        return not self._only_blocks and all(sink.takes_singles() for sink in self.all)


def _overrides(sink: Sink, *methods: str) -> bool:
    """Return whether a sink does something in one of these methods of :class:`Sink`."""
    return any(getattr(type(sink), name) is not getattr(Sink, name) for name in methods)
