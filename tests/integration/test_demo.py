from __future__ import annotations

import os
import signal
import subprocess
import sys
import time


def test_demo_shows_shots_of_an_emulated_blaster_and_ends_in_time() -> None:
    command = [sys.executable, "-m", "stinger", "demo", "--seconds", "9"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert "demo: link streaming" in ended.stdout
    assert "demo: shot, wheels" in ended.stdout
    assert ended.stderr == ""


def test_interrupted_demo_ends_at_once_and_in_order() -> None:
    command = [sys.executable, "-m", "stinger", "demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        os.set_blocking(process.stdout.fileno(), True)
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        assert process.wait(20) == 0
        assert time.monotonic() - started < 15
        assert process.stderr.read() == ""
