"""Commands that came over MQTT, obeyed one after another and answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from service.mqtt.commands import Command, CommandRequest, answer, parse_command, read_content, request_on, take_id
from service.mqtt.connection import Client, Received
from stinger.errors import StingerError

logger = logging.getLogger(__name__)

CommandHandler = Callable[[Command], Awaitable[Mapping[str, Any]]]
"""Does what is asked and returns what is so now; raises :class:`StingerError` for what cannot be done."""

_WAITING = 100
_OBEY_S = 10.0


class CommandQueue:
    """Takes commands in and has ``handler`` obey them, in the order in which they came.

    Each is answered on the response topic it names (MQTT 5), with its correlation data, or else on its own topic with
    ``/response`` behind it. Retained commands are not obeyed: they would be again at each connection.
    """

    def __init__(self, handler: CommandHandler) -> None:
        self._handler = handler
        self._waiting: asyncio.Queue[Received] = asyncio.Queue(_WAITING)

    def submit(self, message: Received) -> None:
        """Have the command in ``message`` obeyed in its turn; one too many is dropped with a warning."""
        if message.retain:
            logger.warning("retained command not obeyed topic=%s", message.topic)
            return
        try:
            self._waiting.put_nowait(message)
        except asyncio.QueueFull:
            logger.warning("command dropped, too many at once topic=%s waiting=%d", message.topic, _WAITING)

    async def serve(self, client: Client) -> None:
        """Obey and answer through ``client`` until cancelled. Raises ``MqttError`` when the connection is lost."""
        while True:
            message = await self._waiting.get()
            payload = await self._obey(message)
            topic, properties = _where_to_answer(message)
            try:
                await client.publish(topic, payload, qos=1, properties=properties)
            except ValueError as error:  # a response topic that is none
                logger.warning("command not answered topic=%s reason=%s", message.topic, error)

    async def _obey(self, message: Received) -> bytes:
        asked = request_on(message.topic.value)
        try:
            content = read_content(message.payload)
            asked = replace(asked, id=take_id(content))
            command = parse_command(asked, content)
            async with asyncio.timeout(_OBEY_S):
                return _done(asked, await self._handler(command))
        except TimeoutError:
            return answer(asked, error=f"not done within {_OBEY_S:g} s")
        except StingerError as error:
            return answer(asked, error=str(error))
        except Exception:
            # A mistake of ours must not end the link, and whoever asked must not wait for ever.
            logger.exception("command failed topic=%s", message.topic)
            return answer(asked, error="internal error, see the daemon's log")


def _done(asked: CommandRequest, result: Mapping[str, Any]) -> bytes:
    logger.info("command obeyed command=%s device=%s", asked.name, asked.device or "all")
    return answer(asked, result)


def _where_to_answer(message: Received) -> tuple[str, Properties | None]:
    asked: Any = message.properties
    topic = getattr(asked, "ResponseTopic", None)
    if topic is None:
        return f"{message.topic}/response", None
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves it so
    if (correlation := getattr(asked, "CorrelationData", None)) is not None:
        properties.CorrelationData = correlation
    return topic, properties
