"""A broker inside the process, for one machine: what ``--broker embedded`` starts. MQTT 3.1.1, loopback only.

It is amqtt behind a listener of our own, so that a port that is taken is an error of one line, and 0 finds a free one.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from service.config.broker_address import LOOPBACK
from stinger.errors import InputError

if TYPE_CHECKING:
    from amqtt.broker import Broker

_LISTENER = "default"
_STOP_S = 1.0


class EmbeddedBroker:
    """A broker on ``127.0.0.1:port`` for as long as the context lasts; 0 is any free port.

    Entering raises :class:`InputError` if the port is taken or amqtt is not installed.
    """

    def __init__(self, port: int = 1883) -> None:
        self.port = port
        """Where it listens; once entered never 0."""
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
                f"embedded broker: port {self.port} is taken; use what listens there (--broker mqtt://{LOOPBACK}:"
                f"{self.port}) or any free port (--broker embedded:0)"
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
        from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter  # noqa: PLC0415 - an optional part

        assert self._broker is not None
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._broker.external_connected(StreamReaderAdapter(reader), StreamWriterAdapter(writer), _LISTENER)
        except Exception:
            # One client's misbehaviour is no concern of the others.
            logging.getLogger(__name__).debug("client of the embedded broker failed", exc_info=True)
        finally:
            self._connections.discard(task)
            writer.close()
            with suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()


def _new_broker() -> Broker:
    try:
        from amqtt.broker import Broker  # noqa: PLC0415 - an optional part
        from amqtt.contexts import BrokerConfig, ListenerConfig, ListenerType  # noqa: PLC0415
    except ImportError as error:
        raise InputError(
            "the embedded broker needs amqtt: pip install 'stinger-ml[broker]', or give --broker mqtt://host"
        ) from error
    # Its clients are ours or a person's on this machine: what it has to say of them is noise.
    for name in ("amqtt", "transitions"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    listeners = {_LISTENER: ListenerConfig(type=ListenerType.EXTERNAL)}
    plugins = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
    return Broker(BrokerConfig(listeners=listeners, plugins=plugins))
