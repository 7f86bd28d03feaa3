"""The broker inside the process, for one machine, started by ``--broker embedded``: MQTT 3.1.1 on the loopback only.

It is amqtt behind a listener of our own, so that a port in use is an error of one line, and port 0 takes a free one.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from service.base.logs import get_logger
from service.config.broker_address import LOOPBACK
from stinger.errors import InputError

if TYPE_CHECKING:
    from amqtt.broker import Broker

_LOG: Final = get_logger(__name__)
_LISTENER = "default"
_STOP_S = 1.0


class EmbeddedBroker:
    """A broker on ``127.0.0.1:port`` while the context lasts; port 0 takes a free one.

    Entering raises :class:`InputError` if the port is in use or amqtt is not installed.
    """

    def __init__(self, port: int = 1883) -> None:
        self.port = port
        """The port that it listens on; after entering, never 0."""
        self._broker: Broker | None = None
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._broker = _new_broker()
        await self._broker.start()
        try:
            self._server = await asyncio.start_server(self._connected, LOOPBACK, self.port)
        except OSError as error:
            await self._broker.shutdown()
            if error.errno != errno.EADDRINUSE:
                raise InputError(f"embedded broker: port {self.port}: {error.strerror}") from error
            raise InputError(
                f"embedded broker: port {self.port} is in use; connect to the program there (--broker mqtt://{LOOPBACK}:"
                f"{self.port}) or take a free port (--broker embedded:0)"
            ) from error
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        assert self._server is not None
        assert self._broker is not None
        self._server.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_S):
                await self._broker.shutdown()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter  # noqa: PLC0415 - optional dependency

        assert self._broker is not None
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._broker.external_connected(StreamReaderAdapter(reader), StreamWriterAdapter(writer), _LISTENER)
        except Exception:  # noqa: BLE001 - logged with its traceback
            # A client that misbehaves must not disturb the others.
            _LOG.exception("embedded_broker_client_failed", level=logging.DEBUG)
        finally:
            self._connections.discard(task)
            writer.close()
            with suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()


def _new_broker() -> Broker:
    try:
        from amqtt.broker import Broker  # noqa: PLC0415 - optional dependency
        from amqtt.contexts import BrokerConfig, ListenerConfig, ListenerType  # noqa: PLC0415
    except ImportError as error:
        raise InputError(
            "the embedded broker needs amqtt: pip install 'stinger-ml[broker]', or use another, --broker mqtt://host"
        ) from error
    # Its clients are the daemon and people on this machine: its log lines about them are noise.
    for name in ("amqtt", "transitions"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    listeners = {_LISTENER: ListenerConfig(type=ListenerType.EXTERNAL)}
    plugins = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
    return Broker(BrokerConfig(listeners=listeners, plugins=plugins))
