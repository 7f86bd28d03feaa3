"""Many devices as a daemon would publish them: links, telemetry, scores and shots, without a daemon for each."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.service.web.stage import Stage

PERIOD_S = 0.2
"""A message of scores holds so much, as the daemon's do."""
_SCORES = 20


@contextmanager
def published_devices(stage: Stage, count: int) -> Iterator[list[str]]:
    """Publish ``count`` devices to the broker of ``stage`` while the block runs; yield their names."""
    names = [f"wall-{number:02d}" for number in range(count)]
    stopping = threading.Event()
    with stage.client() as client:

        def publish(name: str, kind: str, content: object, *, retain: bool = False) -> None:
            client.publish(f"stinger/{name}/{kind}", json.dumps(content), retain=retain)

        def run() -> None:
            for name in names:
                publish(name, "link", {"state": "streaming"}, retain=True)
                publish(name, "model", {"model": "factory", "threshold": 0.5}, retain=True)
            turn = 0
            while not stopping.wait(PERIOD_S):  # what a busy machine leaves out is not made up for
                for number, name in enumerate(names):
                    _publish_turn(publish, name, number, turn)
                turn += 1

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield names
        finally:
            stopping.set()
            thread.join()
            for name in names:
                for kind in ("link", "model"):
                    client.publish(f"stinger/{name}/{kind}", b"", retain=True)


def _publish_turn(publish: object, name: str, number: int, turn: int) -> None:
    assert callable(publish)
    first_ms = turn * _SCORES * 10
    scores = [0.5 + 0.5 * math.sin((first_ms + 10 * at) / 700 + number) for at in range(_SCORES)]
    publish(name, "scores", {"first_device_ms": first_ms, "period_ms": 10, "probabilities": scores})
    if turn % 5 == number % 5:
        telemetry = {"rate_hz": 100.0, "latency_p50_ms": 0.5, "latency_p99_ms": 1.5, "wheels_on": turn % 10 < 5}
        publish(name, "telemetry", telemetry)
    if turn % 20 == number % 20:
        publish(name, "shot", {"device_ms": first_ms, "accepted": True, "lead_ms": 150.0 if number % 3 else None})
