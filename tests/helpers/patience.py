"""How long tests wait for what is to happen, and clients of brokers that wait as long."""

from __future__ import annotations

from typing import Any, Final

import aiomqtt

PATIENCE_S: Final = 300.0
"""Seconds until a wait fails, which only a test that would fail anyway takes.

Where 45 processes wanted two cores, starting a program that imports much took more than 120 s at a low priority.
"""


def mqtt_client(port: int, **settings: Any) -> aiomqtt.Client:
    """Return a client of the broker on ``port`` of this machine; ``settings`` are aiomqtt's.

    It waits for the broker's answers for :data:`PATIENCE_S`; aiomqtt's own limit is 10 s.
    """
    return aiomqtt.Client("127.0.0.1", port, **{"timeout": PATIENCE_S} | settings)
