"""Clients of aiomqtt, and the values that paho-mqtt, the library below it, reports."""

from __future__ import annotations

import logging
import math
import socket
from typing import Any, Final

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from service.mqtt.broker_limits import BrokerLimits
from service.mqtt.connection_settings import ConnectionSettings, ProtocolVersion

# Our errors and log lines report all that the libraries would log.
_library_logger: Final = logging.getLogger(f"{__name__}.paho")
_library_logger.setLevel(logging.CRITICAL + 1)


def new_client(settings: ConnectionSettings) -> aiomqtt.Client:
    """Return a client that is not connected yet."""
    address, will, version_5 = settings.address, settings.will, settings.version is ProtocolVersion.V5
    properties = None
    if version_5:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it so
        properties.MaximumPacketSize = settings.max_packet_bytes
    return aiomqtt.Client(
        address.host,
        address.port,
        username=address.user,
        password=address.password,
        logger=_library_logger,
        identifier=settings.identifier,
        protocol=aiomqtt.ProtocolVersion.V5 if version_5 else aiomqtt.ProtocolVersion.V311,
        will=None if will is None else aiomqtt.Will(will.topic, will.payload, will.qos, will.retain),
        clean_session=None if version_5 else True,
        timeout=math.inf,  # the caller limits the time
        keepalive=settings.times.keepalive_s,
        properties=properties,
        tls_context=address.tls,
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
    )


def publish_properties(version: ProtocolVersion, correlation_data: bytes | None) -> Properties | None:
    """Return the properties of a message; ``None`` for none."""
    if correlation_data is None or version is not ProtocolVersion.V5:
        return None
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves it so
    properties.CorrelationData = correlation_data
    return properties


def refuse_socket(paho: Any, _userdata: Any, _sock: Any) -> None:
    """Close a socket that paho has opened for a connection that was given up. Raises ``ConnectionAbortedError``."""
    paho._sock_close()  # noqa: SLF001 - paho would leave it open
    raise ConnectionAbortedError("this connection has been given up")


def limits_of(properties: Any) -> BrokerLimits:
    """Return what the ``properties`` of a CONNACK announce."""
    defaults = BrokerLimits()
    return BrokerLimits(
        receive_maximum=getattr(properties, "ReceiveMaximum", defaults.receive_maximum),
        maximum_packet_bytes=getattr(properties, "MaximumPacketSize", None),
        maximum_qos=getattr(properties, "MaximumQoS", defaults.maximum_qos),
        retain_available=bool(getattr(properties, "RetainAvailable", defaults.retain_available)),
        server_keep_alive_s=getattr(properties, "ServerKeepAlive", None),
        assigned_identifier=getattr(properties, "AssignedClientIdentifier", None),
        wildcards_available=bool(getattr(properties, "WildcardSubscriptionAvailable", defaults.wildcards_available)),
    )


def explanation_of(properties: Any) -> str:
    """Return the broker's own words in the ``properties`` of a packet; empty without any."""
    return str(getattr(properties, "ReasonString", ""))
