"""Problems that need a person, such as a full disk.

The daemon's parts set them; health, metrics and broker show them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from service.ops.health import Health
from service.ops.metrics import Metrics
from service.recording.disk_alarm import RecorderAlarm
from service.recording.retention import Pruned


class Alarms:
    """Sets and clears alarms in ``health`` and ``metrics``, and passes all alarms on to those who subscribe.

    A recorder that cannot write also sets ``room_needed``, so that old recordings are deleted at once.
    """

    def __init__(self, health: Health, metrics: Metrics, room_needed: asyncio.Event) -> None:
        self._health = health
        self._metrics = metrics
        self._room_needed = room_needed
        self._listeners: tuple[Callable[[Mapping[str, str]], None], ...] = ()

    def subscribe(self, listener: Callable[[Mapping[str, str]], None]) -> None:
        """Have ``listener`` called with the texts of all alarms, by topic, after each change.

        It is called at once if there is an alarm.
        """
        self._listeners += (listener,)
        if self._health.active_alarms:
            listener(self._health.active_alarms)

    def on_recorder(self, alarm: RecorderAlarm) -> None:
        """Set or clear the alarm of the recorder."""
        if alarm.active:
            self._room_needed.set()
        self._set("recorder", f"recording has stopped: {alarm.reason}" if alarm.active else "")

    def on_model(self, reason: str) -> None:
        """Set the alarm of a champion that cannot be used; clear it with an empty ``reason``."""
        self._metrics.model_refused = bool(reason)
        self._set("model", reason)

    def on_data_folder(self, problem: str) -> None:
        """Set the alarm of a data folder that cannot be locked; clear it with an empty ``problem``."""
        self._set_if_changed("data_folder", problem)

    def on_outbox(self, problem: str) -> None:
        """Set the alarm of an outbox that is damaged or cannot be written to; clear it with an empty ``problem``."""
        self._set_if_changed("outbox", problem)

    def on_disk_thread(self, problem: str) -> None:
        """Set the alarm of a thread that does not force recordings to the disk; clear it with an empty ``problem``.

        The daemon is not ready meanwhile.
        """
        # While the disk does not answer, the text counts the seconds: the first one is enough.
        if bool(problem) != bool(self._health.alarm_of("disk_thread")):
            self._set("disk_thread", problem, unready=True)

    def on_embedded_broker(self, reason: str) -> None:
        """Set the alarm of an embedded broker that does not work; clear it with an empty ``reason``.

        The daemon is not ready meanwhile.
        """
        if reason != self._health.alarm_of("embedded_broker"):
            self._set("embedded_broker", reason, unready=True)

    def on_broker(self, reason: str) -> None:
        """Set the alarm of a broker that ends each connection; clear it with an empty ``reason``."""
        self._set_if_changed("broker", reason)

    def on_clocks(self, problem: str) -> None:
        """Set the alarm of devices whose clock is not usable; clear it with an empty ``problem``."""
        self._set_if_changed("clocks", problem)

    def on_metrics_server(self, reason: str) -> None:
        """Set the alarm of a server of metrics that cannot start; clear it with an empty ``reason``."""
        self._set_if_changed("metrics_server", reason)

    def on_devices(self, problem: str) -> None:
        """Set the alarm of devices that are ignored; clear it with an empty ``problem``."""
        self._set_if_changed("devices", problem)

    def on_other_daemons(self, problem: str) -> None:
        """Set the alarm of another daemon with the same topic root; clear it with an empty ``problem``."""
        self._set_if_changed("topic_root", problem)

    def on_uploading(self, problem: str) -> None:
        """Set the alarm of recordings that are not uploaded to shared storage; clear it with an empty ``problem``."""
        self._set_if_changed("upload", problem)

    def on_shared_registry(self, problem: str) -> None:
        """Set the alarm of a shared registry that cannot be read; clear it with an empty ``problem``."""
        self._set_if_changed("registry", problem)

    def on_pruned(self, pruned: Pruned) -> None:
        """Set the alarm of recordings that could not be deleted, or clear it."""
        self._set_if_changed("retention", pruned.problems[0] if pruned.problems else "")

    def _set_if_changed(self, topic: str, text: str) -> None:
        if text != self._health.alarm_of(topic):
            self._set(topic, text)

    def _set(self, topic: str, text: str, *, unready: bool = False) -> None:
        self._health.set_alarm(topic, text, unready=unready)
        self._metrics.alarms = {name: bool(self._health.alarm_of(name)) for name in (*self._metrics.alarms, topic)}
        for listener in self._listeners:
            listener(self._health.active_alarms)
