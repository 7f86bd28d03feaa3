"""Connections that publish, through aiomqtt and the paho-mqtt below it.

Only this file, ``aiomqtt_client`` and ``paho_reading`` know these two libraries, and ``reason_codes`` takes paho's
texts. aiomqtt connects and disconnects, has the event loop read paho's socket, and pings. Messages and subscriptions go
through paho's public methods and callbacks, because aiomqtt needs two tasks for each publish. Where neither library has
a public way, private names are used; ``tests/service/mqtt/test_private_names.py`` fails if a new version lacks one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any, Final

import aiomqtt
from paho.mqtt.client import MQTT_ERR_SUCCESS, error_string
from paho.mqtt.reasoncodes import ReasonCode

from service.mqtt.aiomqtt_client import explanation_of, limits_of, new_client, publish_properties, refuse_socket
from service.mqtt.broker_limits import Ending
from service.mqtt.connection import (
    IncomingMessage,
    MessageHandler,
    PublishingConnection,
    Refusal,
    RefusedHandler,
    WritableHandler,
)
from service.mqtt.connection_settings import ConnectionSettings, QoS
from service.mqtt.corking import corked
from service.mqtt.errors import MqttError
from service.mqtt.messages import OutgoingMessage
from service.mqtt.packet_sizes import publish_packet_bytes, subscribe_packet_bytes
from service.mqtt.paho_reading import PahoReading
from service.mqtt.publishable import topic_problem
from service.mqtt.qos0_confirmation import Qos0Confirmation
from service.mqtt.reason_codes import connack_text, disconnect_text, puback_text
from service.mqtt.sent_packets import SentPackets

_SHORT_KEEPALIVE_S: Final = 3
_NO_TOPIC: Final = "stinger/daemon/nothing"


class AiomqttConnection(PublishingConnection):
    """A connection through aiomqtt, used once: a client that connects again would send again what had been refused."""

    def __init__(
        self, settings: ConnectionSettings, on_message: MessageHandler, on_writable: WritableHandler | None = None
    ) -> None:
        super().__init__(settings)
        self._on_message = on_message
        self._on_writable = on_writable
        self._client = new_client(settings)
        # aiomqtt has no way to publish at once, to read what the broker announced, or to give up a connection.
        paho: Any = self._client._client  # noqa: SLF001
        self._paho = paho
        self._reading = PahoReading(paho, settings.max_packet_bytes, self._lose, self._on_publish)
        self._unacknowledged: dict[int, tuple[Callable[[], None] | None, RefusedHandler | None]] = {}
        self._sent = SentPackets()
        # UNSUBSCRIBE from a topic that was never subscribed to is the only packet with an answer and without an effect
        # that paho can send and report.
        self._confirmation = Qos0Confirmation(lambda: self._send_unsubscribe([_NO_TOPIC]))
        self._writing_now = False
        self._congested = False
        self._closing = False
        paho.connect_timeout = settings.times.connect_s
        # aiomqtt's own callbacks complete its connecting and disconnecting, and stop watching the socket: ours call
        # them.
        self._aiomqtt_on_connect: Any = paho.on_connect
        self._aiomqtt_on_disconnect: Any = paho.on_disconnect
        self._aiomqtt_on_writable: Any = paho.on_socket_unregister_write
        paho.on_connect = self._on_connect
        paho.on_disconnect = self._on_disconnect
        paho.on_socket_register_write = self._on_socket_register_write
        paho.on_socket_unregister_write = self._on_socket_unregister_write
        paho.on_message = self._take_message
        paho.on_subscribe = self._on_subscribe
        paho.on_unsubscribe = self._on_unsubscribe

    @property
    def congested(self) -> bool:
        """Whether the broker takes data more slowly than it is sent: hold back what need not be sent."""
        return self._congested

    def publish(
        self,
        message: OutgoingMessage,
        acknowledged: Callable[[], None] | None = None,
        refused: RefusedHandler | None = None,
        *,
        correlation_data: bytes | None = None,
    ) -> None:
        """See :meth:`PublishingConnection.publish`."""
        self._raise_if_lost()
        topic = self._settings.root.outward(message.topic)
        problem = topic_problem(topic)
        if problem:
            raise ValueError(f"{topic!r:.100} {problem}")
        qos = min(message.qos, self._limits.maximum_qos)
        size = publish_packet_bytes(topic, message.payload, qos, correlation_data)
        self._check_length(size)
        retain = message.retain and self._limits.retain_available
        # aiomqtt would have the event loop write, two of its turns later. While a callback of paho runs, paho must not
        # write.
        self._writing_now = not self._paho._in_callback_mutex.locked()  # noqa: SLF001
        try:
            info = self._paho.publish(
                topic, message.payload, qos, retain, publish_properties(self.version, correlation_data)
            )
            if info.rc != MQTT_ERR_SUCCESS:
                raise MqttError(self._lost_reason or error_string(info.rc))
            self._sent.add_message(size, info.mid if qos else None)
            if qos:
                self._unacknowledged[info.mid] = (acknowledged, refused)
            elif message.qos and acknowledged is not None:
                self._confirmation.add(acknowledged)
            if self._writing_now:
                self._write()
        finally:
            self._writing_now = False
        if not message.qos and acknowledged is not None:
            acknowledged()

    def together(self) -> AbstractContextManager[None]:
        """See :meth:`PublishingConnection.together`."""
        return corked(self._paho.socket())

    def unsubscribe(self, filters: Sequence[str]) -> None:
        """See :meth:`PublishingConnection.unsubscribe`."""
        self._raise_if_lost()
        self._send_unsubscribe([self._settings.root.outward(name) for name in filters])

    async def open(self) -> None:
        """Connect and wait until the broker accepts.

        Raises :class:`MqttError` if it cannot be reached, refuses or closes.

        aiomqtt does not notice a broker that closes the connection instead of answering.
        """
        entering = asyncio.create_task(self._client.__aenter__(), name="aiomqtt-connect")
        try:
            first: set[asyncio.Future[Any]] = {entering, self._accepted}
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            if entering.done():
                entering.result()
            await self._accepted
            await entering
        except aiomqtt.MqttError as error:
            raise MqttError(str(error)) from error
        except asyncio.CancelledError:
            # First the thread that connects must end, so that its socket can be closed.
            await asyncio.wait({entering}, timeout=self._settings.times.goodbye_s)
            raise
        finally:
            entering.cancel()
            await asyncio.gather(entering, return_exceptions=True)

    async def close(self) -> None:
        """Send DISCONNECT, unless the connection is lost, and close, within about ``goodbye_s``."""
        try:
            if not self._lost.is_set():
                self._closing = True
                with suppress(aiomqtt.MqttError, TimeoutError):
                    async with asyncio.timeout(self._settings.times.goodbye_s):
                        await self._client.__aexit__(None, None, None)
        finally:
            self._lose("closed")
            self.abort()

    def abort(self) -> None:
        """Close what aiomqtt leaves open after a refusal, without an answer, or if DISCONNECT could not be sent."""
        # Without this callback paho writes at once: the event loop would write to a closed socket.
        self._paho.on_socket_register_write = None
        self._paho.disconnect()
        self._paho._sock_close()  # noqa: SLF001 - disconnect() only closes behind what could be written
        self._paho.on_socket_close = None
        # A thread that still connects must not open it again: its CONNECT would end the next connection.
        self._paho.on_socket_open = refuse_socket

    def _send_subscribe(self, filters: Sequence[tuple[str, QoS]]) -> int:
        outward = [(self._settings.root.outward(name), qos) for name, qos in filters]
        code, packet_id = self._paho.subscribe(outward)
        if code != MQTT_ERR_SUCCESS or packet_id is None:
            raise MqttError(self._lost_reason or error_string(code))
        self._sent.add_subscription(subscribe_packet_bytes(name for name, _ in outward), packet_id)
        return int(packet_id)

    def _ending_by(self, code: int | None) -> Ending:
        return self._sent.ending(code)

    def _write(self) -> None:
        """Give the socket what waits. What it does not take now, the event loop writes when it can."""
        code = self._paho.loop_write()
        if code != MQTT_ERR_SUCCESS:
            raise MqttError(self._lost_reason or error_string(code))
        if self._paho.want_write():
            self._congested = True
            self._watch_writable()

    def _watch_writable(self) -> None:
        """Have the event loop write what waits, if anything still does."""
        sock = self._paho.socket()
        if sock is not None and self._paho.want_write():
            self._loop.add_writer(sock.fileno(), self._paho.loop_write)

    # The next methods are paho's callbacks.

    def _on_connect(self, paho: Any, userdata: Any, flags: Any, code: ReasonCode, properties: Any) -> None:
        if code.is_failure:
            self._lose(f"refused by the broker: {connack_text(code.value, explanation_of(properties))}", code.value)
            return
        keepalive_s = self._settings.times.keepalive_s
        # A broker may ask for a longer pause, or for none to be checked; its own death must still be noticed. The
        # public property cannot be set while connected.
        if not 0 < paho.keepalive <= keepalive_s:
            paho._keepalive = keepalive_s  # noqa: SLF001
        limits = limits_of(properties)
        if 0 < paho.keepalive <= _SHORT_KEEPALIVE_S:
            every_s = paho.keepalive / 4
            self._loop.call_soon_threadsafe(self._loop.call_later, every_s, self._keep_alive, every_s)
        self._accept(limits)
        self._aiomqtt_on_connect(paho, userdata, flags, code, properties)

    def _on_disconnect(self, paho: Any, userdata: Any, flags: Any, code: ReasonCode, properties: Any) -> None:
        if self._closing:
            self._aiomqtt_on_disconnect(paho, userdata, flags, code, properties)
        elif flags.is_disconnect_packet_from_server:
            reason = disconnect_text(code.value, explanation_of(properties))
            self._end(f"disconnected by the broker: {reason}", code.value)
        elif code == "Keep alive timeout":
            self._lose(f"nothing from the broker for {2 * paho.keepalive} s")
        elif code == "Protocol error":
            refusal = "" if self._accepted.done() else self._reading.refusal()
            self._lose(refusal or "the broker sent a packet that MQTT does not allow")
        else:
            self._lose_closed()

    def _take_message(self, _paho: Any, _userdata: Any, message: Any) -> None:
        now_ns = time.monotonic_ns()
        try:
            topic = message.topic
        except UnicodeDecodeError:  # no subscriber can want it
            return
        properties, root = message.properties, self._settings.root
        response_topic = getattr(properties, "ResponseTopic", None)
        self._on_message(
            IncomingMessage(
                root.inward(topic),
                message.payload,
                message.retain,
                None if response_topic is None else root.inward(response_topic),
                getattr(properties, "CorrelationData", None),
            ),
            now_ns,
        )

    def _on_subscribe(self, _paho: Any, _userdata: Any, packet_id: int, codes: Any, _properties: Any) -> None:
        self._sent.answered(packet_id)
        self._take_suback(packet_id, [code.value for code in codes])

    def _on_publish(self, _paho: Any, _userdata: Any, packet_id: int, code: ReasonCode, properties: Any) -> None:
        self._sent.answered(packet_id)
        acknowledged, refused = self._unacknowledged.pop(packet_id, (None, None))
        if code.is_failure and refused is not None:
            refused(Refusal(code.value, puback_text(code.value, explanation_of(properties))))
        elif acknowledged is not None:
            acknowledged()

    def _send_unsubscribe(self, filters: list[str]) -> int:
        code, packet_id = self._paho.unsubscribe(filters)
        if code != MQTT_ERR_SUCCESS:
            raise MqttError(self._lost_reason or error_string(code))
        self._sent.add_subscription(subscribe_packet_bytes(filters), packet_id)
        return int(packet_id)

    def _on_unsubscribe(self, _paho: Any, _userdata: Any, packet_id: int, *_: Any) -> None:
        self._sent.answered(packet_id)
        if self._confirmation.take_answer(packet_id):
            # While a callback of paho runs, paho must not write.
            self._loop.call_soon(self._confirm_next)

    def _confirm_next(self) -> None:
        with suppress(MqttError):  # the connection's owner learns of it
            if not self._lost.is_set():
                self._confirmation.ask()

    def _keep_alive(self, every_s: float) -> None:
        """Have paho ping in time for a broker with a short keep alive: aiomqtt lets it look once a second only."""
        if not self._lost.is_set() and not self._closing:
            self._paho.loop_misc()
            self._loop.call_later(every_s, self._keep_alive, every_s)

    def _on_socket_register_write(self, _paho: Any, _userdata: Any, _sock: Any) -> None:
        # aiomqtt would add the writer later without looking again: to a socket that is closed by then, or with nothing
        # left to write, which would keep the loop busy. While connecting, this runs in another thread.
        if not self._writing_now:
            self._loop.call_soon_threadsafe(self._watch_writable)

    def _on_socket_unregister_write(self, paho: Any, userdata: Any, sock: Any) -> None:
        self._aiomqtt_on_writable(paho, userdata, sock)
        if self._congested:
            self._congested = False
            if self._on_writable is not None:
                self._on_writable()
