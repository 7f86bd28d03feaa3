"""The broker inside the process, for one machine, started by ``--broker embedded``.

It speaks MQTT 3.1.1 on the loopback only. It is amqtt behind a listener of our own, which reports a port in use as one
line, takes a free port for 0, and limits what clients use, because that is taken from the daemon.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import time
from collections.abc import Callable
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from service.base.logs import get_logger
from service.config.broker_account import Account
from service.config.broker_address import LOOPBACK
from service.mqtt.embedded_limits import EmbeddedLimits
from stinger.errors import InputError
from stinger.packages import install_command

if TYPE_CHECKING:
    from service.mqtt.embedded_client import EmbeddedClient
    from service.mqtt.limited_broker import LimitedBroker

_SUPERVISE_S: Final = 1.0
_POLL_S: Final = 0.01

_WARNED_EVERY_S: Final = 60.0
_LOG: Final = get_logger(__name__)


class EmbeddedBroker:
    """A broker on ``127.0.0.1:port`` while the context lasts; port 0 takes a free one.

    It serves clients that know ``account``, or every client of this machine without one. Entering raises
    :class:`InputError` if the port is in use or amqtt is not installed.
    """

    def __init__(
        self, port: int = 1883, *, account: Account | None = None, limits: EmbeddedLimits | None = None
    ) -> None:
        self.port = port
        """The port that it listens on; after entering, never 0."""
        self._account = account
        self._limits = limits or EmbeddedLimits()
        self._broker: LimitedBroker | None = None
        self._server: asyncio.Server | None = None
        self._warned_s = float("-inf")
        self._clients: dict[EmbeddedClient, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        await self._start()
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        await self._stop()

    async def supervise(self, on_problem: Callable[[str], None], *, every_s: float = _SUPERVISE_S) -> None:
        """Until cancelled, start the broker again when it has failed; its clients must connect again then.

        ``on_problem`` is called with the reason while it does not work, and with an empty text once it works again.
        """
        while True:
            await asyncio.sleep(every_s)
            problem = self.problem
            if not problem:
                continue
            on_problem(f"embedded broker: {problem}; starting it again")
            await self._stop()
            try:
                await self._start()
            except InputError as error:
                on_problem(str(error))
            else:
                on_problem("")
                _LOG.warning("embedded_broker_restarted", reason=problem)

    @property
    def problem(self) -> str:
        """Why it does not work; empty while it works."""
        if self._broker is None or self._server is None or not self._server.is_serving():
            return "it does not listen"
        return self._broker.problem

    async def _start(self) -> None:
        self._broker = _new_broker(self._limits)
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

    async def _stop(self) -> None:
        """Send what waits, and end within a limited time, whatever clients and amqtt do."""
        if self._server is not None:
            self._server.close()
        if self._broker is not None:
            # Not asyncio.timeout: amqtt ignores cancellation in places.
            stopping = asyncio.create_task(_shut_down(self._broker), name="embedded broker stopping")
            await asyncio.wait({stopping}, timeout=self._limits.stop_s)
            stopping.cancel()
        for client in self._clients:
            client.abort()
        if tasks := set(self._clients.values()):
            _, left = await asyncio.wait(tasks, timeout=self._limits.stop_s)
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left, timeout=self._limits.stop_s)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from service.mqtt.embedded_client import EmbeddedClient  # noqa: PLC0415 - needs the optional amqtt
        from service.mqtt.limited_broker import LISTENER  # noqa: PLC0415

        broker, task = self._broker, asyncio.current_task()
        assert broker is not None
        assert task is not None
        client = EmbeddedClient(
            reader,
            writer,
            self._limits,
            backlog=lambda: broker.backlog,
            all_unread_bytes=lambda: sum(other.unread_bytes for other in self._clients),
            on_broken_limit=self._log_broken_limit,
        )
        if not self._make_room():
            _LOG.debug("embedded_broker_client_refused", reason="too many clients")
            client.abort()
            return
        self._clients[client] = task
        try:
            await client.log_in(self._account)
            await broker.external_connected(client.reader, client.writer, LISTENER)
        except (OSError, EOFError) as error:
            _LOG.debug("embedded_broker_client_refused", reason=str(error))
        except Exception:  # noqa: BLE001 - logged with its traceback
            # A client that misbehaves must not disturb the others.
            _LOG.exception("embedded_broker_client_failed", level=logging.DEBUG)
        finally:
            await client.close()
            self._clients.pop(client, None)

    def _log_broken_limit(self, reason: str) -> None:
        """Log why a client was disconnected: a warning once a minute, as a client may do it again and again."""
        now_s = time.monotonic()
        is_warning = now_s - self._warned_s >= _WARNED_EVERY_S
        self._warned_s = now_s if is_warning else self._warned_s
        _LOG.log(logging.WARNING if is_warning else logging.DEBUG, "embedded_broker_client_ended", reason=reason)

    def _make_room(self) -> bool:
        """Make room for a new client if necessary, and return whether there is room.

        If there are too many, one that has not logged in is disconnected.
        """
        if len(self._clients) < self._limits.connections:
            return True
        for client in self._clients:
            if not client.logged_in:
                client.abort()
                del self._clients[client]
                return True
        return False


async def _shut_down(broker: LimitedBroker) -> None:
    """Distribute what has been received, then end all sessions."""
    while broker.backlog and not broker.problem:  # noqa: ASYNC110 - amqtt's queues have no event for that
        await asyncio.sleep(_POLL_S)
    try:
        await broker.shutdown()
    except Exception:  # noqa: BLE001 - logged with its traceback; a broker that failed may not shut down in order
        _LOG.exception("embedded_broker_stop_failed", level=logging.DEBUG)


def _new_broker(limits: EmbeddedLimits) -> LimitedBroker:
    try:
        import_module("amqtt.broker")
    except ImportError as error:
        raise InputError(
            f"the embedded broker needs amqtt: {install_command('broker')}, or use another, --broker mqtt://host"
        ) from error
    from service.mqtt.limited_broker import LimitedBroker  # noqa: PLC0415 - needs the optional amqtt

    return LimitedBroker(limits)
