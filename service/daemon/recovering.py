"""Recovery after a kill, beside scoring.

Recordings left open are closed, and the events that were lost are published.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from service.base.events import Event
from service.base.logs import get_logger
from service.daemon.lost_events import events_at_end
from service.daemon.pipeline import Pipeline
from service.recording.recovery import OpenRecording, Recovery, close, merged, open_recordings
from service.recording.store import StoredFiles
from stinger.device_name import parse_device_name
from stinger.errors import InputError

PAUSE_FOR_WORK: Final = 1.0
"""Seconds of pause after each second of work, which leave the processor to scoring."""
MAX_WAITING_EVENTS: Final = 1000
_SHORTEST_PAUSE_S: Final = 0.02
_BROKER_CHECK_S: Final = 0.2

_LOG = get_logger(__name__)


class BackgroundRecovery:
    """Recovers the recordings of ``files``, which were listed before the recorder started.

    ``publish`` is called with the events of the last samples of each recording, by the model and thresholds that
    ``pipeline`` has now. The recording is closed only after that: if the daemon is killed again, they are found again.
    While more than :data:`MAX_WAITING_EVENTS` events wait for the broker, as ``waiting_events`` returns, recovery waits
    as well: most events that it finds are repeats, which must not push others out of the outbox.
    """

    def __init__(
        self,
        files: StoredFiles,
        pipeline: Pipeline,
        publish: Callable[[Sequence[Event], str | None], None],
        waiting_events: Callable[[], int],
    ) -> None:
        self._files = files
        self._pipeline = pipeline
        self._publish = publish
        self._waiting_events = waiting_events

    async def run(self) -> None:
        """Recover one recording after another, with pauses. Problems are logged, and end nothing."""
        found, events = Recovery(problems=self._files.problems), 0
        results = open_recordings(self._files)
        pause_s = 0.0
        while True:
            began_s = time.monotonic()
            result = await asyncio.to_thread(next, results, None)
            if result is None:
                break
            if isinstance(result, OpenRecording):
                lost = await asyncio.to_thread(self._events, result)
                while self._waiting_events() > MAX_WAITING_EVENTS:  # noqa: ASYNC110 - the outbox has no event for this
                    await asyncio.sleep(_BROKER_CHECK_S)
                self._publish(lost, result.sidecar.model)
                events += len(lost)
                await asyncio.sleep(0)  # until the outbox is written
                result = await asyncio.to_thread(close, result)
            found = merged(found, result)
            pause_s += PAUSE_FOR_WORK * (time.monotonic() - began_s)
            if pause_s > _SHORTEST_PAUSE_S:
                await asyncio.sleep(pause_s)
                pause_s = 0.0
        if found.closed or found.removed or found.problems:
            _LOG.warning(
                "recordings_recovered",
                closed=found.closed,
                removed=found.removed,
                samples=found.samples,
                torn_bytes=found.torn_bytes,
                events=events,
                problems=len(found.problems),
                first_problem=found.problems[0] if found.problems else "none",
            )

    def _events(self, opened: OpenRecording) -> list[Event]:
        """Return the events of the last samples of ``opened``; none if it is not a recording of a device."""
        if not opened.samples.size:
            return []
        try:
            device = parse_device_name(opened.sidecar.device)
            return events_at_end(
                opened.samples,
                device,
                opened.clock_zero_ms,
                self._pipeline.serving,
                self._pipeline.decisions.of(device),
                min_shot_gap_ms=self._pipeline.min_shot_gap_ms,
            )
        except InputError as error:
            _LOG.warning("lost_events_not_found", path=opened.path, reason=error)
        except Exception:  # noqa: BLE001 - a damaged recording must not end the daemon
            _LOG.exception("lost_events_not_found", path=opened.path)
        return []
