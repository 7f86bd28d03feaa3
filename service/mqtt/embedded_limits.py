"""Limits of the embedded broker."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EmbeddedLimits:
    """What clients of the embedded broker may use. They protect a daemon that runs in the same process."""

    connections: int = 100
    """Clients at once. One that has not logged in yet loses its place to a new one."""
    connect_s: float = 20.0
    """To send a whole CONNECT; long, as a busy machine may hold up the daemon while it waits in the socket."""
    stalled_s: float = 10.0
    """To send the rest of a packet that has begun, and to read anything while messages wait."""
    packet_bytes: int = 256 * 1024
    """Longest packet from a client. The longest message of a blaster, with 4,096 samples, has 70 kB."""
    retained_messages: int = 10_000
    retained_bytes: int = 8_000_000
    """Topics and payloads of all retained messages together."""
    subscriptions: int = 1_000
    """Of all clients together."""
    filter_characters: int = 1_000
    """Longest topic filter of a subscription."""
    unread_bytes: int = 16_000_000
    """Waiting for one client; more than all retained messages, which a new subscriber receives at once."""
    all_unread_bytes: int = 64_000_000
    """Waiting for all clients together."""
    backlog: int = 1_000
    """Messages that wait for distribution before no more are read."""
    stop_s: float = 1.0
    """For each of the steps of closing: to deliver what waits, and to end the tasks of clients."""
