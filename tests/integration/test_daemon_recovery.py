"""What a daemon that was killed left is completed by the next one, beside its work."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest

from models.synthetic import synthesise
from service.base.events import event_id
from service.recording.sidecar import Sidecar, read_sidecar
from stinger.device_name import DeviceName
from stinger.files import write_bytes
from stinger.logs.marked import sidecar_path
from stinger.sample import SampleArray
from tests.helpers.brokers import Mosquitto, subscriber
from tests.helpers.daemons import daemon
from tests.helpers.recordings import write_recording
from tests.helpers.samples import random_samples

ZERO_MS = 1_700_000_000_000


def left_open(folder: Path, device: str, samples: SampleArray) -> Path:
    path = write_recording(folder / "data" / "recordings", device, 1_700_000_000.0, samples)
    write_bytes(sidecar_path(path), Sidecar(device=device, started="", clock_zero_ms=ZERO_MS).to_json())
    return path


def shot_times(samples: SampleArray) -> list[int]:
    pressed = samples["trigger"] != 0
    times: list[int] = samples["timestamp_ms"][1:][pressed[1:] & ~pressed[:-1]].tolist()
    return times


async def test_shots_at_the_end_of_an_open_recording_are_published_with_their_ids(tmp_path: Path) -> None:
    samples = synthesise(minutes=0.5, seed=3, still_pause=False)
    path = left_open(tmp_path, "b1", samples)
    mosquitto = Mosquitto(tmp_path / "mosquitto")
    await asyncio.to_thread(mosquitto.start)
    expected = {event_id("shot", DeviceName("b1"), ZERO_MS, at_ms) for at_ms in shot_times(samples)}
    try:
        async with subscriber(mosquitto.port, "stinger/b1/shot") as heard:
            with daemon(tmp_path, "--broker", f"mqtt://127.0.0.1:{mosquitto.port}") as process:
                await asyncio.to_thread(process.wait_for, "recordings_recovered")
                await heard.until(lambda: len(heard.messages) >= len(expected))
    finally:
        mosquitto.kill()
    assert expected
    assert {json.loads(bytes(message.payload))["id"] for message in heard.messages} == expected
    assert read_sidecar(sidecar_path(path)).closed


def test_daemon_is_ready_before_the_recordings_of_many_devices_are_recovered(tmp_path: Path) -> None:
    samples = synthesise(minutes=0.1, seed=3, still_pause=False)
    paths = [left_open(tmp_path, f"d{number}", samples) for number in range(100)]
    with daemon(tmp_path, "--broker", "embedded:0") as process:
        process.wait_for("recordings_recovered closed=100 ")
        log = process.log_text()
    assert log.index("ready: broker") < log.index("recordings_recovered")
    assert all(read_sidecar(sidecar_path(path)).closed for path in paths)


@pytest.mark.parametrize("end", [b"", b"torn", bytes(5000)])
def test_recordings_that_are_being_made_meanwhile_are_not_touched(tmp_path: Path, end: bytes) -> None:
    path = left_open(tmp_path, "b1", random_samples(500, first_ms=1000))
    with path.open("ab") as file:
        file.write(end)
    session = tmp_path / "session.bin"
    session.write_bytes(synthesise(minutes=0.05, seed=3, still_pause=False).tobytes())
    with daemon(tmp_path, "--broker", "embedded:0", "--source", f"replay:{session}?device=b1") as process:
        process.wait_for("recordings_recovered closed=1 ")
        assert process.end() == 0
    ends = {read_sidecar(one).end for one in path.parent.glob("*.json")}
    assert ends == {"recovered", "stop"}
    played = next(one for one in path.parent.glob("*.bin") if one != path)
    assert np.array_equal(np.fromfile(played, dtype=np.uint8), np.fromfile(session, dtype=np.uint8))
