"""Clears what a daemon left at the broker below its old topic root, after the root was changed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from service.base.logs import get_logger
from service.config.broker_address import BrokerAddress
from service.config.topic_root import TopicRoot, parse_topic_root
from service.mqtt.errors import MqttError
from service.mqtt.forgetting import forget
from stinger.errors import FileError, InputError
from stinger.files import read_bytes, write_bytes

_LOG: Final = get_logger(__name__)
_NAME: Final = "topic-root"
_MAX_BYTES: Final = 1000


class RootChange:
    """Compares ``root`` with the one of the last start, which is kept in the folder ``data_dir``.

    ``used_before`` is whether a daemon without such a file has used the folder: its root was ``stinger``.
    """

    def __init__(self, data_dir: Path, root: TopicRoot, *, used_before: bool) -> None:
        self._path = data_dir / _NAME
        self._root = root
        self._old = _read(self._path) or (TopicRoot() if used_before else root)

    async def clear_old(self, address: BrokerAddress) -> None:
        """If the root has changed, clear what is retained below the old one, unless another daemon is online there.

        Does nothing if the broker cannot be reached: the next call or start tries again.
        """
        if self._old != self._root:
            try:
                forgotten = await forget(address, self._old, None)
            except MqttError as error:
                _LOG.warning("old_topics_not_cleared", root=self._old, reason=error)
                return
            if forgotten.online:
                _LOG.warning("old_topics_in_use", root=self._old, reason="another daemon is online below it")
            _LOG.info("old_topics_cleared", root=self._old, devices=len(forgotten.devices))
            self._old = self._root
        if _read(self._path) != self._root:
            try:
                await asyncio.to_thread(write_bytes, self._path, f"{self._root}\n".encode())
            except FileError as error:
                _LOG.warning("topic_root_not_written", reason=error)


def _read(path: Path) -> TopicRoot | None:
    """Return the root in the file ``path``; ``None`` if it has none."""
    try:
        return parse_topic_root(read_bytes(path, at_most=_MAX_BYTES).decode().strip())
    except (InputError, ValueError):
        return None
