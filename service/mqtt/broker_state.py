"""The states of the link to the broker, and its time limits."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from service.base.backoff import LONGEST_S

ACKNOWLEDGE_S: Final = 60.0


class BrokerState(Enum):
    """What the link is doing."""

    STOPPED = "stopped"
    """Not running: before :meth:`~service.mqtt.broker_link.BrokerLink.run` and after it."""
    CONNECTING = "connecting"
    CONNECTED = "connected"
    WAITING = "waiting"
    """Pausing before the next attempt to connect."""
    STOPPING = "stopping"
    """Delivering what it can before the end."""


@dataclass(frozen=True, slots=True)
class BrokerLinkTimes:
    """Time limits of a link, in seconds."""

    stable_s: float = 5.0
    """A connection that lasted this long counts as stable: pauses after it are short again, and its end is logged as a
    warning.
    """
    checkpoint_every_s: float = 60.0
    """Between two checkpoints of the outbox."""
    states_s: float = 1.0
    """After so long without another retained state, the broker has delivered them all."""
    outbox_retry_s: float = 1.0
    """Between two attempts to write what could not be written to the outbox's file."""
    farewell_s: float = 0.3
    """To publish ``offline`` through a broker that works."""
    acknowledge_s: float = ACKNOWLEDGE_S
    """For a broker that answers pings to acknowledge a message."""
    retry_longest_s: float = LONGEST_S
    """The longest pause between two attempts to connect."""
