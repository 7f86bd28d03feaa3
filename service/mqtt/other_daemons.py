"""Detects other daemons that are online with the same topic root: they overwrite each other's status and states."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from service.config.topic_root import TopicRoot
from service.mqtt.messages import decode

MOST_OTHERS: Final = 16
"""Further ones are ignored: anyone who may publish can invent them."""
_INSTANCE_MAX: Final = 64


class OtherDaemons:
    """Finds other daemons with the topic root ``root`` in the status messages that the broker delivers.

    ``instance`` is this daemon's. ``on_problem`` is called with a line for people when there is another daemon, and
    with an empty text when there is none any longer. ``publish_status`` is called when this daemon's status must be
    published again.

    A retained status proves nothing: the daemon that left it may have ended without its will being published, as after
    a power cut. But each daemon answers the status of one that it does not know with its own, which proves that it
    runs.
    """

    def __init__(
        self, root: TopicRoot, instance: str, on_problem: Callable[[str], None], publish_status: Callable[[], None]
    ) -> None:
        self._root = root
        self._instance = instance
        self._on_problem = on_problem
        self._publish_status = publish_status
        self._others: set[str] = set()

    def reset(self) -> None:
        """Forget the other daemons, at the beginning of a connection: those that are still online answer again."""
        if self._others:
            self._others.clear()
            self._on_problem("")

    def take(self, payload: bytes, *, retained: bool) -> None:
        """Take a message on the topic of the daemon's status, which may come from any program."""
        content = decode(payload) or {}
        instance, state = content.get("instance"), content.get("state")
        if not isinstance(instance, str) or not 0 < len(instance) <= _INSTANCE_MAX:
            return
        if retained or instance == self._instance:
            return
        if state == "online" and instance not in self._others and len(self._others) < MOST_OTHERS:
            self._others.add(instance)
            if len(self._others) == 1:
                self._on_problem(
                    f"another daemon is online with the same topic root, {self._root}: they overwrite each other's "
                    "states; give each its own (broker.topic_root)"
                )
            self._publish_status()
        elif state == "offline":
            if instance in self._others:
                self._others.remove(instance)
                if not self._others:
                    self._on_problem("")
            self._publish_status()  # the other one's has replaced it at the broker
