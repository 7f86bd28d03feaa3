"""Commands received over MQTT: carried out one after another, each answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from service.base.logs import RepeatedFailure, get_logger
from service.config.topic_root import TopicRoot
from service.mqtt.channels import RESPONSES, DeliveryPolicy
from service.mqtt.commands import (
    Command,
    CommandRequest,
    NotServedError,
    answer,
    parse_command,
    read_content,
    request_on,
    take_id,
)
from service.mqtt.connection import IncomingMessage, PublishingConnection
from service.mqtt.messages import OutgoingMessage
from service.mqtt.publishable import topic_problem
from stinger.errors import StingerError

CommandHandler = Callable[[Command], Awaitable[Mapping[str, Any]]]
"""Carries out a command and returns the resulting state; raises :class:`StingerError` if it cannot, and
:class:`NotServedError` if another daemon may."""

MAX_WAITING: Final = 100
HANDLER_S: Final = 10.0
_LOG: Final = get_logger(__name__)


class CommandQueue:
    """Has ``handler`` carry out commands in the order in which they arrived, and answers each.

    A command may name a response topic (MQTT 5) below :data:`~service.mqtt.channels.RESPONSES`: then the answer goes
    there, with the command's correlation data. Every other answer goes to the command's own topic with ``/response``
    appended. Other response topics are refused, since everyone who may send commands could have the daemon write to any
    topic. Retained commands are ignored: the broker delivers them again at each connection. At most ``max_waiting``
    commands wait, and each may take ``handler_s`` seconds. ``root`` is where topics below ``stinger`` are at the
    broker.
    """

    def __init__(
        self,
        handler: CommandHandler,
        *,
        root: TopicRoot | None = None,
        max_waiting: int = MAX_WAITING,
        handler_s: float = HANDLER_S,
    ) -> None:
        self._root = TopicRoot() if root is None else root
        self._handler = handler
        self._handler_s = handler_s
        self._refused_topic = RepeatedFailure(_LOG, "response_topic_refused")
        self._waiting: asyncio.Queue[IncomingMessage] = asyncio.Queue(max_waiting)

    def put(self, message: IncomingMessage) -> None:
        """Add the command in ``message``; if too many wait, drop it with a warning."""
        if message.retain:
            _LOG.warning("retained_command_ignored", topic=self._root.outward(message.topic))
            return
        try:
            self._waiting.put_nowait(message)
        except asyncio.QueueFull:
            _LOG.warning(
                "command_dropped",
                reason="too many wait",
                topic=self._root.outward(message.topic),
                waiting=self._waiting.maxsize,
            )

    async def serve(self, connection: PublishingConnection) -> None:
        """Carry out commands and answer through ``connection`` until cancelled.

        Raises :class:`~service.mqtt.errors.MqttError` when the connection is lost.
        """
        while True:
            message = await self._waiting.get()
            payload = await self._execute(message)
            if payload is None:
                continue
            topic = self._response_topic(message)
            response = OutgoingMessage(
                topic=f"{message.topic}/response" if topic is None else topic,
                payload=payload,
                qos=1,
                retain=False,
                delivery=DeliveryPolicy.LIVE,
            )
            correlation_data = None if topic is None else message.correlation_data
            try:
                await connection.deliver(response, correlation_data=correlation_data)
            except ValueError as error:  # it is too long for the broker, or refused
                _LOG.warning("command_not_answered", topic=self._root.outward(message.topic), reason=error)

    def _response_topic(self, message: IncomingMessage) -> str | None:
        """Return the response topic that the command names; ``None`` if it names none, or one that is not allowed."""
        topic = message.response_topic
        if topic is None or (topic.startswith(RESPONSES) and topic != RESPONSES and not topic_problem(topic)):
            return topic
        outward = self._root.outward
        self._refused_topic.log(
            f"not below {outward(RESPONSES)}",
            topic=outward(message.topic),
            response_topic=f"{outward(topic):.200}" or "another daemon's",
        )
        return None

    async def _execute(self, message: IncomingMessage) -> bytes | None:
        """Carry out the command in ``message``.

        Return the payload of its answer, ``None`` if another daemon answers.
        """
        request = request_on(message.topic)
        try:
            content = read_content(message.payload)
            request = replace(request, id=take_id(content))
            command = parse_command(request, content)
            async with asyncio.timeout(self._handler_s):
                return _done(request, await self._handler(command))
        except TimeoutError:
            return answer(request, error=f"not done within {self._handler_s:g} s")
        except NotServedError:
            return None
        except StingerError as error:
            return answer(request, error=str(error))
        except Exception:  # noqa: BLE001 - logged with its traceback
            # A fault of ours must not end the connection, nor leave the sender without an answer.
            _LOG.exception("command_failed", topic=self._root.outward(message.topic))
            return answer(request, error="internal error, see the daemon's log")


def _done(request: CommandRequest, result: Mapping[str, Any]) -> bytes:
    _LOG.info("command_done", command=request.name, device=request.device or "all")
    return answer(request, result)
