"""The daemon as a process of its own, against a real broker."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models.factory import factory_model
from models.registry import Registry
from models.synthetic import synthesise
from service.cli.retry_later import EXIT_UNAVAILABLE
from stinger.logs import read_log, write_log
from stinger.recording import split_recordings
from stinger.sample import SampleArray
from stinger.shots import find_shots
from tests.helpers.brokers import Heard, Mosquitto, subscriber, until
from tests.helpers.cli import run_stinger
from tests.helpers.daemons import daemon
from tests.helpers.patience import PATIENCE_S


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that is not started yet."""
    broker = Mosquitto(tmp_path / "mosquitto")
    yield broker
    broker.kill()


@pytest.fixture
def session(tmp_path: Path) -> SampleArray:
    """Half a minute with shots, also as ``session.bin``."""
    samples = synthesise(minutes=0.5, seed=3)
    write_log(tmp_path / "session.bin", samples)
    return samples


def shots_in(samples: SampleArray) -> list[int]:
    (recording,) = split_recordings(samples)
    return [int(time_ms) for time_ms in find_shots(recording).time_ms]


def heard_on(heard: Heard, topic: str) -> list[Any]:
    return [json.loads(bytes(message.payload)) for message in heard.on(topic)]


def recorded(folder: Path) -> list[Path]:
    return sorted((folder / "data" / "recordings").rglob("*.bin"))


def url(folder: Path, options: str = "speed=0") -> str:
    return f"replay:{folder / 'session.bin'}?{options}"


async def test_shots_of_a_replayed_session_are_published_and_every_sample_is_recorded(
    tmp_path: Path, session: SampleArray, mosquitto: Mosquitto
) -> None:
    mosquitto.start()
    async with subscriber(mosquitto.port, "stinger/#") as heard:
        with daemon(tmp_path, "--source", url(tmp_path), "--broker", f"mqtt://127.0.0.1:{mosquitto.port}") as process:
            assert await asyncio.to_thread(process.end) == 0, process.log_text()
        # 'online' is replaced by 'offline' if the session ends before the broker has taken it.
        await heard.until(
            lambda: [one["state"] for one in heard_on(heard, "stinger/daemon/status")][-1:] == ["offline"]
        )
    shots = heard_on(heard, "stinger/session/shot")
    assert [shot["device_ms"] for shot in shots] == shots_in(session)
    assert len({shot["id"] for shot in shots}) == len(shots)
    (path,) = recorded(tmp_path)
    assert read_log(path).samples.tobytes() == session.tobytes()
    assert json.loads(path.with_suffix(".json").read_text())["closed"] is True


async def test_embedded_broker_serves_subscribers(tmp_path: Path, session: SampleArray) -> None:
    del session
    arguments = ("--source", url(tmp_path, "speed=20&loop=forever"), "--broker", "embedded:0", "--broker-open")
    with daemon(tmp_path, *arguments) as process:
        port = await asyncio.to_thread(process.port)
        async with subscriber(port, "stinger/session/telemetry") as heard:
            await heard.until(lambda: bool(heard.messages))
        process.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.end) == 0, process.log_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signal_stops_the_daemon_in_order(
    tmp_path: Path, session: SampleArray, mosquitto: Mosquitto, number: signal.Signals
) -> None:
    del session
    mosquitto.start()
    async with subscriber(mosquitto.port, "stinger/#") as heard:
        broker = f"mqtt://127.0.0.1:{mosquitto.port}"
        source = url(tmp_path, "speed=1&loop=forever")
        with daemon(tmp_path, "--source", source, "--broker", broker) as process:
            await heard.until(lambda: bool(heard.on("stinger/session/telemetry")))
            process.process.send_signal(number)
            assert await asyncio.to_thread(process.end) == 0, process.log_text()
            assert "Traceback" not in process.log_text()
        await heard.until(lambda: len(heard.on("stinger/daemon/status")) >= 2)
    assert heard_on(heard, "stinger/daemon/status")[-1]["reason"] == "stopped"
    assert all(json.loads(path.with_suffix(".json").read_text())["closed"] for path in recorded(tmp_path))


async def test_killed_daemon_loses_no_sample_that_it_read_and_the_next_start_closes_its_recording(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    mosquitto.start()
    broker = f"mqtt://127.0.0.1:{mosquitto.port}"
    session = synthesise(minutes=10, seed=3)  # it must not end before the kill
    write_log(tmp_path / "session.bin", session)
    async with subscriber(mosquitto.port, "stinger/#") as heard:
        with daemon(tmp_path, "--source", url(tmp_path, "speed=1"), "--broker", broker) as process:
            await heard.until(lambda: len(heard.on("stinger/session/telemetry")) >= 3)
            process.process.kill()
            await asyncio.to_thread(process.end)
        await heard.until(lambda: heard_on(heard, "stinger/daemon/status")[-1]["state"] == "offline")
    assert heard_on(heard, "stinger/daemon/status")[-1]["reason"] == "lost"
    (path,) = recorded(tmp_path)
    kept = read_log(path).samples
    assert kept.size > 100
    assert kept.tobytes() == session[: kept.size].tobytes()
    assert json.loads(path.with_suffix(".json").read_text())["closed"] is False
    with daemon(tmp_path, "--broker", "embedded:0", name="second") as process:
        await asyncio.to_thread(process.wait_for, "recordings_recovered closed=1 ")
        sidecar = json.loads(path.with_suffix(".json").read_text())
        assert (sidecar["closed"], sidecar["samples"]) == (True, kept.size)


async def test_events_wait_on_disk_until_a_broker_is_there(
    tmp_path: Path, session: SampleArray, mosquitto: Mosquitto
) -> None:
    broker = f"mqtt://127.0.0.1:{mosquitto.port}"
    with daemon(tmp_path, "--source", url(tmp_path), "--broker", broker) as process:
        assert await asyncio.to_thread(process.end) == 0, process.log_text()
    mosquitto.start()
    async with subscriber(mosquitto.port, "stinger/#") as heard:
        with daemon(tmp_path, "--broker", broker, name="second"):
            await heard.until(lambda: len(heard.on("stinger/session/shot")) >= len(shots_in(session)))
    assert [shot["device_ms"] for shot in heard_on(heard, "stinger/session/shot")] == shots_in(session)


async def test_promoted_model_is_used_while_samples_stream_and_no_sample_is_lost(
    tmp_path: Path, session: SampleArray, mosquitto: Mosquitto
) -> None:
    mosquitto.start()
    registry = Registry(tmp_path / "data" / "registry")
    version = registry.add("better", factory_model().data, {}).id
    broker = f"mqtt://127.0.0.1:{mosquitto.port}"
    async with subscriber(mosquitto.port, "stinger/session/#") as heard:
        # The second source never ends, so the daemon does not end before it has noticed the promotion.
        sources = ("--source", url(tmp_path, "speed=4"), "--source", "mqtt:")
        with daemon(tmp_path, *sources, "--broker", broker) as process:
            await heard.until(lambda: bool(heard.on("stinger/session/model")))
            registry.promote(version, why="test")
            await heard.until(lambda: len(heard.on("stinger/session/model")) >= 2)
            await until(lambda: sum(path.stat().st_size for path in recorded(tmp_path)) == session.nbytes)
            process.process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.end) == 0, process.log_text()
    models = [message["model"] for message in heard_on(heard, "stinger/session/model")]
    assert models[:2] == ["factory", version]
    assert sum(read_log(path).samples.size for path in recorded(tmp_path)) == session.size


async def test_threshold_is_set_over_mqtt_and_answered(
    tmp_path: Path, session: SampleArray, mosquitto: Mosquitto
) -> None:
    del session
    mosquitto.start()
    broker = f"mqtt://127.0.0.1:{mosquitto.port}"
    async with subscriber(mosquitto.port, "stinger/#") as heard:
        with daemon(tmp_path, "--source", url(tmp_path, "speed=1&loop=forever"), "--broker", broker):
            await heard.until(lambda: bool(heard.on("stinger/session/model")))
            assert heard.client is not None
            command = "stinger/session/command/set_threshold"
            await heard.client.publish(command, json.dumps({"threshold": 0.7}), qos=1)
            await heard.until(lambda: bool(heard.on(f"{command}/response")))
            await heard.client.publish(command, json.dumps({"threshold": 7}), qos=1)
            await heard.until(lambda: len(heard.on(f"{command}/response")) >= 2)
    done, refused = heard_on(heard, f"{command}/response")
    assert (done["ok"], done["result"]) == (True, {"threshold": 0.7})
    assert refused["ok"] is False
    assert heard_on(heard, "stinger/session/model")[-1]["threshold"] == 0.7


async def test_command_for_an_unknown_device_is_refused_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with daemon(
        tmp_path, "--source", "tcp://127.0.0.1:1?device=b2", "--broker", "embedded:0", "--broker-open"
    ) as process:
        port = await asyncio.to_thread(process.port)
        async with subscriber(port, "stinger/#") as heard:
            assert heard.client is not None
            await heard.until(lambda: bool(heard.on("stinger/daemon/status")))  # it has subscribed to commands
            commands = [f"stinger/{device}/command/set_threshold" for device in ("b1", "b2")]  # b2 is configured
            for command in commands:
                await heard.client.publish(command, json.dumps({"threshold": 0.7}), qos=1)
            await heard.until(lambda: all(heard.on(f"{command}/response") for command in commands))
            answers = [heard_on(heard, f"{command}/response")[0] for command in commands]
            await heard.until(lambda: heard_on(heard, "stinger/b2/model")[-1:] != [])
            await heard.until(lambda: heard_on(heard, "stinger/b2/model")[-1]["threshold"] == 0.7)
    assert [(answer["ok"], answer.get("error")) for answer in answers] == [(False, "no device 'b1'"), (True, None)]
    assert not heard.on("stinger/b1/model")
    assert not (tmp_path / "data" / "recordings" / "b1").exists()


async def test_threshold_removed_from_the_configuration_goes_back_to_the_models_own_at_sighup(tmp_path: Path) -> None:
    config = tmp_path / "stinger.toml"
    config.write_text('threshold = 0.8\nmodel = "factory"')
    arguments = (
        "--config",
        str(config),
        "--source",
        "tcp://127.0.0.1:1?device=b",
        "--broker",
        "embedded:0",
        "--broker-open",
    )
    with daemon(tmp_path, *arguments) as process:
        port = await asyncio.to_thread(process.port)
        async with subscriber(port, "stinger/b/model") as heard:
            await heard.until(lambda: bool(heard_on(heard, "stinger/b/model")))
            config.write_text('model = "factory"')
            process.process.send_signal(signal.SIGHUP)
            await heard.until(lambda: heard_on(heard, "stinger/b/model")[-1]["threshold"] != 0.8)
    thresholds = [message["threshold"] for message in heard_on(heard, "stinger/b/model")]
    assert thresholds[0] == 0.8
    assert thresholds[-1] == factory_model().meta.decision.on


FAILS_IN_SCORING = """
from functools import partial
from service.base.sink import Sink
from service.daemon.parts import Wrappers
from service.daemon.daemon import Daemon
from stinger.cli import main

class FailingSink(Sink):
    def __init__(self, sink):
        pass

    def on_scores(self, block, probability, stamps):
        raise RuntimeError("the scores are out of order")

main(prog_name="stinger", obj=partial(Daemon.open, wrappers=Wrappers(mqtt_sink=FailingSink)))
"""


def test_exception_in_scoring_ends_the_daemon_with_a_traceback_and_closed_recordings(
    tmp_path: Path, session: SampleArray
) -> None:
    del session
    program = [sys.executable, "-c", FAILS_IN_SCORING]
    sources = ("--source", url(tmp_path, "speed=1"), "--broker", "embedded:0")
    with daemon(tmp_path, *sources, program=program) as process:
        assert process.end() == 1
    log = process.log_text()
    assert "daemon_failed" in log
    assert "Traceback (most recent call last)" in log
    assert "RuntimeError: the scores are out of order" in log
    assert log.count("Exception ignored") == log.count("was never retrieved") == 0
    (path,) = recorded(tmp_path)
    assert json.loads(path.with_suffix(".json").read_text())["closed"] is True


def test_second_daemon_on_one_data_folder_is_refused(tmp_path: Path) -> None:
    with daemon(tmp_path, "--broker", "embedded:0") as first:
        first.port()
        with daemon(tmp_path, "--broker", "embedded:0", name="second") as second:
            assert second.end() == EXIT_UNAVAILABLE
            assert "is in use by another daemon" in second.log_text()
            assert second.log_text().count("\n") == 1


def test_metrics_show_what_was_counted(tmp_path: Path, session: SampleArray) -> None:
    counted = f'stinger_samples_total{{device="session"}} {session.size}'
    # The second source never ends, so the daemon does not end between two requests.
    sources = ("--source", url(tmp_path), "--source", "mqtt:")
    with daemon(tmp_path, *sources, "--broker", "embedded:0", "--metrics-port", "0") as process:
        address = process.wait_for(r"metrics: (http://\S+)/metrics")[1]
        deadline = time.monotonic() + PATIENCE_S
        while counted not in _get(f"{address}/metrics"):
            assert time.monotonic() < deadline
            assert process.process.poll() is None
            time.sleep(0.05)
        assert _get(f"{address}/healthz")


def _get(address: str) -> str:
    try:
        with urllib.request.urlopen(address, timeout=PATIENCE_S) as answer:
            text: str = answer.read().decode()
            return text
    except OSError:
        return ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "replay:none.bin"], "none.bin: No such file"),
        (["--model", "none.onnx"], "none.onnx: No such file"),
    ],
)
def test_missing_file_is_one_line_and_exit_code_2(tmp_path: Path, arguments: list[str], message: str) -> None:
    result = run_stinger(
        "run", "--data-dir", str(tmp_path), "--log-level", "error", "--broker", "embedded:0", *arguments
    )
    assert result.returncode == 2
    assert message in result.stderr
    assert [line for line in result.stderr.splitlines() if line.startswith("Error: ")] == result.stderr.splitlines()[
        -1:
    ]
    assert "Traceback" not in result.stderr


def test_configuration_is_checked_and_printed_without_running(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('threshold = 0.4\n[broker]\nurl = "mqtt://hall"\n')
    assert (
        run_stinger("run", "--config", str(tmp_path / "c.toml"), "--check").stdout
        == "The configuration is valid: model factory.\n"
    )
    printed = run_stinger("run", "--config", str(tmp_path / "c.toml"), "--threshold", "0.6", "--print-config").stdout
    assert "threshold = 0.6" in printed
    assert 'url = "mqtt://hall"' in printed
