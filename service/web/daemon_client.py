"""The page's connection to the daemon's broker.

It receives the daemon's messages, sends commands and awaits their answers.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from service.base.logs import RepeatedFailure, get_logger
from service.config.broker_address import BrokerAddress
from service.config.topic_root import TopicRoot
from service.mqtt.aiomqtt_connection import AiomqttConnection
from service.mqtt.channels import COMMANDS, ROOT, STATUS_TOPIC, command_channels
from service.mqtt.connection import IncomingMessage, PublishingConnection
from service.mqtt.connector import Connector
from service.mqtt.errors import MqttError
from service.mqtt.messages import message
from service.mqtt.reason_codes import REFUSED, suback_text
from service.web.daemon_state import DaemonState
from stinger.device_name import DeviceName
from stinger.errors import InputError
from stinger.wording import printable

RETRY_S: Final = 1.0
ANSWER_WITHIN_S: Final = 5.0
_LOG: Final = get_logger(__name__)
_RESPONSE: Final = "response"


@dataclass(frozen=True, slots=True)
class Answer:
    """The daemon's answer to a command: its ``result``, or in ``error`` why it was not carried out, empty if it was."""

    result: Mapping[str, Any]
    error: str = ""


class DaemonClient:
    """Keeps ``state`` up to date with the daemon whose broker is at ``find_address()`` while :meth:`run` runs.

    ``find_address`` is asked before each attempt to connect: the account of an embedded broker is in the data folder
    only once the daemon has started. ``root`` is the beginning of the daemon's topics.
    """

    def __init__(
        self,
        find_address: Callable[[], BrokerAddress],
        state: DaemonState,
        *,
        root: TopicRoot | None = None,
        answer_within_s: float = ANSWER_WITHIN_S,
    ) -> None:
        self.state = state
        self._find_address = find_address
        self._address = find_address()
        self.problem = f"connecting to the broker at {self._address}"
        """Why there is no connection to the broker; empty while there is one."""
        self._root = root
        self._connector = Connector(AiomqttConnection, self._address, root=root)
        self._answer_within_s = answer_within_s
        self._connection: PublishingConnection | None = None
        self._waiting: dict[str, asyncio.Future[Answer]] = {}

    @property
    def broker_text(self) -> str:
        """Where the broker is, and whether there is a connection to it."""
        if self.problem:
            return f"⚠ {self.problem}"
        return f"✓ connected to {self._address}, topics below {self._root or TopicRoot()}"

    async def run(self) -> None:
        """Stay connected until cancelled. A broker that is away is waited for."""
        failure = RepeatedFailure(_LOG, "broker_not_connected")
        while True:
            try:
                self._follow_address()
                async with self._connector.connect(self._take) as connection:
                    await self._subscribe(connection)
                    failure.reset()
                    _LOG.info("broker_connected", broker=self._address)
                    self._connection, self.problem = connection, ""
                    await connection.wait_lost()
            except (MqttError, InputError) as error:
                self.problem = f"no connection to the broker at {self._address}: {printable(str(error))}"
                failure.log(str(error), broker=self._address)
            finally:
                self._connection = None
                self.state.lose_links()
            await asyncio.sleep(RETRY_S)

    async def send(self, name: str, device: DeviceName | None, content: Mapping[str, Any]) -> Answer:
        """Have the daemon carry out the command ``name`` for ``device``, ``None`` for all; return its answer.

        Without a connection, or without an answer in time, the answer has an error.
        """
        connection = self._connection
        if connection is None:
            return Answer({}, self.problem)
        channels = command_channels(name)
        channel = channels.of_all if device is None else channels.of_device
        identity = secrets.token_hex(8)
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[identity] = waiting
        try:
            connection.publish(message(channel, channel.topic(device), {**content, "id": identity}))
            async with asyncio.timeout(self._answer_within_s):
                return await waiting
        except TimeoutError:
            return Answer({}, f"the daemon did not answer within {self._answer_within_s:g} s")
        except (MqttError, ValueError) as error:
            return Answer({}, str(error))
        finally:
            del self._waiting[identity]

    def _follow_address(self) -> None:
        """Take note of another address or account of the broker."""
        address = self._find_address()
        if address != self._address:
            self._address = address
            self._connector = Connector(AiomqttConnection, address, root=self._root)

    async def _subscribe(self, connection: PublishingConnection) -> None:
        responses = [command_channels(name).response_of_device.filter for name in COMMANDS]
        filters = [f"{ROOT}/+/+", STATUS_TOPIC, *responses]
        codes = await connection.subscribe([(name, 0) for name in filters])
        refused = [suback_text(code) for code in codes[:2] if code >= REFUSED]
        if len(refused) == 2:  # noqa: PLR2004 - both
            raise MqttError(f"the broker refuses the subscriptions: {refused[0]}")

    def _take(self, incoming: IncomingMessage, _read_ns: int) -> None:
        if incoming.topic.endswith(f"/{_RESPONSE}"):
            self._take_answer(incoming.payload)
        else:
            self.state.feed(incoming.topic, incoming.payload)

    def _take_answer(self, payload: bytes) -> None:
        try:
            content = json.loads(payload)
        except (ValueError, RecursionError):
            return
        identity = content.get("id") if isinstance(content, dict) else None
        waiting = self._waiting.get(identity) if isinstance(identity, str) else None
        if waiting is None or waiting.done():
            return
        if content.get("ok") is True:
            result = content.get("result")
            waiting.set_result(Answer(result if isinstance(result, dict) else {}))
        else:
            waiting.set_result(Answer({}, printable(str(content.get("error"))[:500])))
