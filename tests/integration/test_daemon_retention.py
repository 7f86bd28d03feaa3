"""The daemon deletes recordings by its configuration."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from models.factory import factory_model
from models.registry import Registry
from service.config.config import RecorderConfig
from service.recording.age_clock import AGE_CLOCK_NAME
from service.recording.retention import Limits, limits_of
from stinger.quantities import parse_duration, parse_size
from tests.helpers.brokers import free_port
from tests.helpers.cli import STINGER
from tests.helpers.daemons import daemon
from tests.helpers.fake_clock import FAKETIME
from tests.helpers.patience import PATIENCE_S
from tests.helpers.recordings import DAY_S, write_old_recording, write_recording
from tests.helpers.samples import random_samples

OLD_DAYS = 400.0


def wait_for_metric(address: str, line: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        with urllib.request.urlopen(f"{address}/metrics", timeout=PATIENCE_S) as answer:
            text = answer.read().decode()
        if line in text.splitlines():
            return
        assert time.monotonic() < deadline, text
        time.sleep(0.05)


def test_daemon_deletes_and_counts_too_old_recordings(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "recordings"
    old, newest = write_old_recording(folder, "a", OLD_DAYS), write_old_recording(folder, "a", OLD_DAYS - 1)
    write_recording(folder, "b", time.time() - 60, random_samples(100))
    arguments = ("--keep", "1d", "--broker", "embedded:0", "--metrics-port", "0")
    with daemon(tmp_path, *arguments) as process:
        address = process.wait_for(r"metrics: (http://\S+)/metrics")[1]
        wait_for_metric(address, "stinger_recordings_pruned_total 1")
        wait_for_metric(address, "stinger_recordings 2")
        assert (old.exists(), newest.exists()) == (False, True)
        process.wait_for("recordings_pruned deleted=1 ")


def test_nothing_is_deleted_by_age_while_the_clock_is_far_ahead_of_the_newest_recording(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "recordings"
    paths = [write_old_recording(folder, "a", OLD_DAYS + days) for days in (2, 1, 0)]
    with daemon(tmp_path, "--keep", "90d", "--broker", "embedded:0") as process:
        process.wait_for("alarm_raised topic=retention .*the clock is .* days ahead")
        process.port()
    assert all(path.exists() for path in paths)
    with daemon(tmp_path, "--keep", "90d", "--broker", "embedded:0", name="again") as process:
        process.wait_for("alarm_raised topic=retention .*the clock is .* days ahead")
    assert all(path.exists() for path in paths)


@pytest.mark.skipif(FAKETIME is None, reason="needs libfaketime, in Debian's package faketime")
def test_clock_that_is_a_year_ahead_once_deletes_nothing_and_the_right_one_deletes_what_is_too_old(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "data" / "recordings"
    for number in range(15):
        ended_s = time.time() - number * 9.5 * DAY_S - 10
        path = write_recording(folder, "ab"[number % 2], ended_s - 1, random_samples(100))
        os.utime(path, (ended_s, ended_s))
    arguments = ("--keep", "90d", "--broker", "embedded:0")
    ahead = ("env", f"LD_PRELOAD={FAKETIME}", "FAKETIME=+365d", "DONT_FAKE_MONOTONIC=1", *STINGER)
    with daemon(tmp_path, *arguments, program=ahead, name="ahead") as process:
        process.wait_for("alarm_raised topic=retention .*the clock is 365.0 days ahead")
    assert len(list(folder.rglob("*.bin"))) == 15
    with daemon(tmp_path, *arguments) as process:
        process.wait_for("recordings_pruned deleted=5 ")
    assert len(list(folder.rglob("*.bin"))) == 10


def wait_for_first_round(data: Path) -> None:
    """Wait until the daemon has pruned once: then it trusts the clock, whatever old recordings appear."""
    deadline = time.monotonic() + PATIENCE_S
    while not (data / AGE_CLOCK_NAME).exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_limit_set_while_the_daemon_runs_takes_effect_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "recordings"
    config = tmp_path / "c.toml"
    config.write_text("")
    with daemon(tmp_path, "--config", str(config), "--broker", "embedded:0") as process:
        process.port()
        wait_for_first_round(tmp_path / "data")
        old = write_old_recording(folder, "a", OLD_DAYS)
        write_old_recording(folder, "a", OLD_DAYS - 1)
        config.write_text('[recorder]\nkeep = "30d"\n')
        process.process.send_signal(signal.SIGHUP)
        process.wait_for("recordings_pruned deleted=1 ")
        assert not old.exists()


def test_old_recordings_are_deleted_at_once_when_the_disk_is_full(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "recordings"
    config = tmp_path / "c.toml"
    # No disk has so much room, so recording stops at the first look.
    config.write_text('[recorder]\nkeep_free_mb = 1000000\nsync_interval_s = 0.1\nkeep = "30d"\n')
    port = free_port()
    source = f"tcp://127.0.0.1:{port}?device=b"
    with daemon(tmp_path, "--config", str(config), "--source", source, "--broker", "embedded:0") as process:
        process.wait_for("state=lost")
        wait_for_first_round(tmp_path / "data")
        old = write_old_recording(folder, "a", OLD_DAYS)
        write_old_recording(folder, "a", OLD_DAYS - 1)
        blaster = subprocess.Popen(
            [*STINGER, "emulate", "--tcp", f"127.0.0.1:{port}", "--seconds", "60"],
            stdout=subprocess.DEVNULL,
        )
        try:
            process.wait_for("alarm_raised topic=recorder")
            process.wait_for("recordings_pruned deleted=1 ")
            assert not old.exists()
        finally:
            blaster.kill()
            blaster.wait(PATIENCE_S)


def test_unreadable_model_stops_deletion_and_raises_an_alarm(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "recordings"
    old = write_old_recording(folder, "a", OLD_DAYS)
    write_old_recording(folder, "a", OLD_DAYS - 1)
    Registry(tmp_path / "data" / "registry").add("m", factory_model().data, {}).model_path.write_bytes(b"no model")
    with daemon(tmp_path, "--keep-size", "1kB", "--model", "factory", "--broker", "embedded:0") as process:
        process.wait_for("alarm_raised topic=retention .*no recording is deleted until this model can be read")
        assert old.exists()


def test_limits_are_those_of_the_configuration() -> None:
    config = RecorderConfig(keep=parse_duration("2w"), keep_size=parse_size("1.5GB"), keep_trained=False)
    assert limits_of(config) == Limits(keep_s=1_209_600, keep_bytes=1_500_000_000, keep_trained=False)
    assert limits_of(RecorderConfig()) == Limits()
