"""Estimates what a number of blasters needs, from constants that were measured on a small fleet.

Each constant names where it was measured, or that it is an assumption. The model only multiplies: it assumes a constant
load and cores like those measured. It shows which resource is used up first.

Run: python -m benchmarks.fleet_model [blasters ...]
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Final

HZ: Final = 100
SAMPLE_BYTES: Final = 17
SAMPLES_A_MESSAGE: Final = 20
HEADER_BYTES: Final = 4 + 40
"""Counter and subject of a message."""
STORED_OVERHEAD_BYTES: Final = 30
"""What JetStream's file store adds to a message."""

DAEMON_US_A_SAMPLE: Final = 10.2
"""CPU of a daemon for a sample from NATS, 200 devices, model mlp:rich, not recorded: benchmarks.fleet --cost."""
SERVERS_US_A_MESSAGE: Final = 152.0
"""CPU time of all three NATS servers for a message that one takes over MQTT and each stores: benchmarks.fleet
--cost."""
CORE_SHARE: Final = 0.6
"""How much of a core may be in use, so that a burst or the failure of a neighbour leaves room."""
LEASE_WRITES_A_S: Final = 1 / 0.3
"""Writes of the lease of each partition."""
BLASTERS_A_PARTITION: Final = 64
"""With more, the lease, which lists the boots of its blasters, becomes large: 45 bytes per blaster, written every 0.3
s."""
STREAM_MESSAGES_A_S: Final = 40_000
"""What one stream with three replicas takes, of which one server orders all messages. An assumption, not measured."""
SERVER_CONNECTIONS: Final = 20_000
"""MQTT connections over TLS that a server of 8 GB holds. An assumption, not measured."""
CORES_A_SERVER: Final = 8
KEPT_S: Final = 3600
"""How long the stream keeps messages."""
EVENTS_A_BLASTER_S: Final = 1.3
"""Of a synthetic session of constant play: events delivered by benchmarks.fleet, without repeats."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a number of blasters needs."""

    blasters: int
    samples_s: int
    messages_s: int
    bytes_s: float
    partitions: int
    daemon_cores: int
    streams: int
    servers: int
    stream_gb: float
    """On each of three replicas."""
    recorded_gb_a_day: float
    lease_mb_s: float
    events_s: float

    @property
    def first_limit(self) -> str:
        """The resource that is used up first, and what to add."""
        if self.streams > 1:
            return "one stream's leader: several streams, and a group of daemons for each"
        if self.servers > 3:
            return "three servers: their processors, or the blasters' connections"
        if self.daemon_cores > 1:
            return "one daemon's core: several daemons share the partitions"
        return "nothing: one daemon with mqtt: does it"


def needs_of(blasters: int) -> Needs:
    """Return what ``blasters`` need if all publish all the time."""
    samples = blasters * HZ
    messages = samples / SAMPLES_A_MESSAGE
    payload = SAMPLES_A_MESSAGE * SAMPLE_BYTES + HEADER_BYTES
    partitions = max(16, 2 ** math.ceil(math.log2(max(1.0, blasters / BLASTERS_A_PARTITION))))
    server_cores = messages * SERVERS_US_A_MESSAGE / 1e6 / CORE_SHARE
    servers = max(3, math.ceil(server_cores / CORES_A_SERVER), math.ceil(blasters / SERVER_CONNECTIONS))
    return Needs(
        blasters=blasters,
        samples_s=samples,
        messages_s=round(messages),
        bytes_s=messages * payload,
        partitions=partitions,
        daemon_cores=max(1, math.ceil(samples * DAEMON_US_A_SAMPLE / 1e6 / CORE_SHARE)),
        streams=max(1, math.ceil(messages / STREAM_MESSAGES_A_S)),
        servers=servers,
        stream_gb=messages * (payload + STORED_OVERHEAD_BYTES) * KEPT_S / 1e9,
        recorded_gb_a_day=samples * SAMPLE_BYTES * 86_400 / 1e9,
        lease_mb_s=partitions * LEASE_WRITES_A_S * (80 + 45 * blasters / partitions) / 1e6,
        events_s=blasters * EVENTS_A_BLASTER_S,
    )


def main() -> None:
    counts = [int(argument) for argument in sys.argv[1:]] or [1_000, 100_000, 1_000_000]
    columns = [needs_of(count) for count in counts]
    rows = [
        ("blasters", [f"{one.blasters:,}" for one in columns]),
        ("samples a second", [f"{one.samples_s:,}" for one in columns]),
        ("messages a second", [f"{one.messages_s:,}" for one in columns]),
        ("MB a second", [f"{one.bytes_s / 1e6:,.1f}" for one in columns]),
        ("partitions", [f"{one.partitions:,}" for one in columns]),
        ("cores of daemons", [f"{one.daemon_cores:,}" for one in columns]),
        ("streams", [f"{one.streams:,}" for one in columns]),
        (f"NATS servers of {CORES_A_SERVER} cores", [f"{one.servers:,}" for one in columns]),
        ("GB of stream, an hour, each of 3 replicas", [f"{one.stream_gb:,.0f}" for one in columns]),
        ("GB of recordings a day", [f"{one.recorded_gb_a_day:,.0f}" for one in columns]),
        ("MB a second of leases", [f"{one.lease_mb_s:,.2f}" for one in columns]),
        ("events a second", [f"{one.events_s:,.0f}" for one in columns]),
        ("what breaks first", [one.first_limit for one in columns]),
    ]
    for name, values in rows:
        print(f"| {name} | {' | '.join(values)} |")


if __name__ == "__main__":
    main()
