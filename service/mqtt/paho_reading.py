"""Guards what paho-mqtt reads from a broker.

Packets that are too long, or that it cannot decode, end the connection.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from paho.mqtt.client import MQTT_ERR_CONN_LOST

from service.base.logs import get_logger
from service.mqtt.reason_codes import connack_text

_CONNACK: Final = 0x20
_CONNACK_BYTES: Final = 4
"""Type, length, flags and code, up to where both versions of MQTT are the same."""
_LOG: Final = get_logger(__name__)


class PahoReading:
    """Takes the place of the methods with which the client ``paho`` reads.

    ``lose`` is called with the reason when a packet ends the connection, as one longer than ``max_packet_bytes`` does.
    ``on_publish`` is paho's callback of that name, called for acknowledgements that are read. For a message without one
    (QoS 0) it is not: to call it, paho spends half as much time as to publish the message.
    """

    def __init__(
        self, paho: Any, max_packet_bytes: int, lose: Callable[[str], None], on_publish: Callable[..., None]
    ) -> None:
        self._paho = paho
        self._on_publish = on_publish
        self._max_packet_bytes = max_packet_bytes
        self._lose = lose
        self._beginning = b""
        self._loop_read: Any = paho.loop_read
        paho.loop_read = self._read
        # All reads of paho go through this method. No public callback reports the length of a packet before it is read.
        self._receive: Any = paho._sock_recv  # noqa: SLF001
        paho._sock_recv = self._receive_limited  # noqa: SLF001

    def refusal(self) -> str:
        """Return the refusal in a CONNACK that paho reports as a protocol error only, as with code 1 of 3.1.1.

        Return "" for anything else.
        """
        if len(self._beginning) < _CONNACK_BYTES or self._beginning[0] != _CONNACK:
            return ""
        code = self._beginning[_CONNACK_BYTES - 1]
        return f"refused by the broker: {connack_text(code)}" if code else ""

    def _read(self) -> Any:
        """Read a packet; close if that raises. aiomqtt would leave the connection open and never read from it again."""
        self._paho.on_publish = self._on_publish
        try:
            return self._loop_read()
        except Exception as error:  # noqa: BLE001 - a packet that paho cannot decode, or a fault of ours
            _LOG.exception("broker_packet_not_read", level=logging.DEBUG)
            self._lose(f"a packet from the broker could not be read: {error!r}")
            self._paho._sock_close()  # noqa: SLF001 - paho has no public way to close at once
            return MQTT_ERR_CONN_LOST
        finally:
            self._paho.on_publish = None

    def _receive_limited(self, size: int) -> bytes:
        """Receive at most ``size`` bytes for paho; end the connection if a packet is longer than allowed."""
        if size > self._max_packet_bytes:
            reason = f"the broker sent a packet of {size} bytes, longer than {self._max_packet_bytes}"
            self._lose(reason)
            raise ConnectionAbortedError(reason)
        data: bytes = self._receive(size)
        if len(self._beginning) < _CONNACK_BYTES:
            self._beginning += data
        return data
