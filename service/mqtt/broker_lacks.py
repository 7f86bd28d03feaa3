"""What a broker cannot do, of that which the daemon would use, as text for a person."""

from __future__ import annotations

from service.mqtt.broker_limits import BrokerLimits


def lacks_of(limits: BrokerLimits) -> list[str]:
    """Return what a broker with these ``limits`` lacks and what follows, a line for each."""
    lacks = []
    if not limits.retain_available:
        lacks.append("it retains no messages: a new subscriber learns each state at its next change")
    if limits.maximum_qos == 0:
        lacks.append(
            "it takes QoS 0 only: events are sent at QoS 0, and again if the connection is lost before it answers"
        )
    if not limits.wildcards_available:
        lacks.append("it takes no wildcards in subscriptions: only commands for all devices are received")
    return lacks
