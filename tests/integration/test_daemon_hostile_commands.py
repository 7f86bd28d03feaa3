"""Commands over MQTT that name files, or hold text that no file can hold, leave the daemon as it was."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import urllib.request
from pathlib import Path

import pytest

from models.synthetic.session import synthesise
from stinger.logs.writing import write_log
from tests.helpers.brokers import Mosquitto, subscriber
from tests.helpers.daemons import daemon
from tests.helpers.patience import PATIENCE_S


def status_of(address: str) -> int:
    with urllib.request.urlopen(address, timeout=PATIENCE_S) as answer:
        status: int = answer.status
        return status


@pytest.mark.skipif(os.name == "nt", reason="Unix's devices")
async def test_paths_and_half_surrogates_are_refused_and_the_daemon_stays_ready_and_stops(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    write_log(tmp_path / "session.bin", synthesise(minutes=10, seed=3))
    os.mkfifo(tmp_path / "pipe.onnx")
    choices = ["/dev/ptmx"] * 9 + [str(tmp_path / "pipe.onnx"), str(tmp_path), "/etc/passwd", "/no/such/file.onnx"]
    choose, note = "stinger/daemon/command/choose_model", "stinger/session/command/note"
    arguments = ("--source", f"replay:{tmp_path / 'session.bin'}?speed=1", "--metrics-port", "0")
    async with subscriber(mosquitto.port, "stinger/#") as heard:
        with daemon(tmp_path, *arguments, "--broker", f"mqtt://127.0.0.1:{mosquitto.port}") as process:
            address = (await asyncio.to_thread(process.wait_for, r"metrics: (http://\S+)/metrics"))[1]
            await heard.until(lambda: bool(heard.on("stinger/session/telemetry")))
            assert heard.client is not None
            for choice in choices:
                await heard.client.publish(choose, json.dumps({"model": choice}), qos=1)
            for text in ('"x \\ud83d"', '"\\udc00"', '"fine"'):
                await heard.client.publish(note, f'{{"text": {text}}}', qos=1)
            await heard.until(lambda: len(heard.on(f"{choose}/response")) == len(choices))
            await heard.until(lambda: len(heard.on(f"{note}/response")) == 3)
            assert await asyncio.to_thread(status_of, f"{address}/readyz") == 200
            process.process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.end) == 0, process.log_text()
            assert "Traceback" not in process.log_text()
    answers = [json.loads(bytes(message.payload)) for message in heard.on(f"{choose}/response")]
    assert {answer["ok"] for answer in answers} == {False}
    assert len({answer["error"] for answer in answers}) == 1, "no answer shows which files there are"
    notes = [json.loads(bytes(message.payload))["ok"] for message in heard.on(f"{note}/response")]
    assert notes == [False, False, True]
    (sidecar,) = (tmp_path / "data" / "recordings" / "session").glob("*.json")
    described = json.loads(sidecar.read_text())
    assert (described["closed"], [kept["text"] for kept in described["notes"]]) == (True, ["fine"])
