from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from hil.emulated.journal_file import read_journal
from models.synthetic import synthesise
from stinger.errors import FileError
from stinger.logs import write_log
from stinger.sample import SampleArray
from stinger.wire.stream import SampleStream
from tests.helpers.cli import STINGER, invoke, run_stinger
from tests.helpers.patience import PATIENCE_S
from tests.hil.emulating import dump, serial_host, tcp_host

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs ptys and signals of POSIX")


@contextmanager
def running(*arguments: str | Path, devices: int = 1) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Run ``stinger emulate``, and return the process and the addresses of its devices once all are ready."""
    command = [*STINGER, "emulate", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(devices)]
            assert [line.partition(":")[0] for line in lines] == [f"device {i}" for i in range(devices)]
            yield process, [line.partition(": ")[2].strip() for line in lines]
        finally:
            process.kill()


def end(process: subprocess.Popen[str], number: signal.Signals) -> str:
    """Send a signal, and return the remaining output; the process must exit with 0."""
    process.send_signal(number)
    output, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, errors) == (0, "")
    return output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_stops_it_and_removes_the_link(number: signal.Signals, tmp_path: Path) -> None:
    link = tmp_path / "blaster"
    with running("--pty", "--link", link) as (process, [address]):
        assert address == str(link)
        with serial_host(address) as host:
            assert host.ask(b"MLINFO").startswith(b"[ml] samples_written=")
            assert end(process, number) == ""
    assert not link.is_symlink()


def test_log_holds_the_recording_from_the_start(tmp_path: Path) -> None:
    samples = synthesise(minutes=0.5, seed=1)
    write_log(tmp_path / "log.bin", samples)
    with (
        running("--log", tmp_path / "log.bin", "--tcp", "127.0.0.1:0", tmp_path / "log.bin") as (_, [address]),
        tcp_host(address) as host,
    ):
        assert dump(host) == samples.tobytes()


def test_recording_is_played_once_a_host_requests_it_and_counted(tmp_path: Path) -> None:
    samples = synthesise(minutes=0.1, seed=1, still_pause=False)
    write_log(tmp_path / "log.csv", samples)
    with running(tmp_path / "log.csv", "--speed", "10", "--stats") as (process, [address]):
        with serial_host(address) as host:
            _, blocks = host.stream(samples.shape[0])
        assert np.array_equal(np.concatenate(blocks), samples)
        assert "600 samples taken, 600 packets written, 0 dropped" in end(process, signal.SIGINT)


def test_fifty_devices_start_and_stop_together(tmp_path: Path) -> None:
    with running("--link", tmp_path / "blaster", "--count", "50", devices=50) as (process, addresses):
        assert addresses == [str(tmp_path / f"blaster.{i}") for i in range(50)]
        for address in addresses:
            with serial_host(address) as host:
                assert host.ask(b"MLINFO").startswith(b"[ml] samples_written=")
        end(process, signal.SIGTERM)
    assert list(tmp_path.iterdir()) == []


def test_it_exits_by_itself_after_the_given_seconds() -> None:
    ended = run_stinger("emulate", "--seconds", "0.2", "--stats")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("device 0: ") == 2


def test_help_lists_the_faults() -> None:
    output = invoke("emulate", "--help").output
    assert "drop:rate=" in output
    assert "unplug" in output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--fault", "explode"], "no fault 'explode'"),
        (["--tcp", "here"], "--tcp here: expected HOST:PORT"),
        (["--tcp", "127.0.0.1:0", "--pty"], "on a pty or on a TCP port"),
        (["--tcp", "127.0.0.1:65000", "--count", "1000"], "need ports beyond 65535"),
        (["--tcp", "192.0.2.1:80"], "cannot listen on 192.0.2.1:80"),
        (["--loop"], "--loop needs a RECORDING"),
        (["/nowhere/log.bin"], "/nowhere/log.bin: No such file"),
        (["--link", "/nowhere/link"], "/nowhere/link: cannot create the symbolic link"),
    ],
)
def test_mistake_is_reported_in_one_line(arguments: list[str], complaint: str) -> None:
    ended = run_stinger("emulate", *arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert complaint in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_journal_records_every_sample(tmp_path: Path) -> None:
    samples = synthesise(minutes=0.1, seed=1, still_pause=False)
    write_log(tmp_path / "s.bin", samples)
    faults = ("--fault", "drop:rate=0.1", "--fault", "corrupt:rate=0.1")
    journal = tmp_path / "journal"
    with running(tmp_path / "s.bin", "--speed", "20", "--journal", journal, *faults) as (process, [address]):
        with serial_host(address) as host:
            stream = SampleStream()
            blocks: list[SampleArray] = []
            host.write(SampleStream.start())
            while part := host.some(2.0 if blocks else PATIENCE_S):  # until nothing comes any more
                blocks.append(stream.feed(part))
        end(process, signal.SIGTERM)
    entries = read_journal(journal)
    assert np.array_equal(entries["sample"], samples)
    received = np.concatenate(blocks)
    assert np.array_equal(entries["sample"][entries["intact"]], received)
    assert stream.frames.lost == np.count_nonzero(~entries["intact"][: np.flatnonzero(entries["intact"])[-1]])


def test_journal_that_cannot_be_written_is_reported_in_one_line(tmp_path: Path) -> None:
    result = invoke("emulate", "--pty", "--journal", tmp_path / "no" / "journal")
    assert (result.exit_code, result.output.count("\n")) == (2, 2)
    assert "No such file or directory" in result.output


def test_file_that_is_not_a_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "journal").write_bytes(b"x")
    with pytest.raises(FileError, match="not a journal"):
        read_journal(tmp_path / "journal")


@pytest.mark.parametrize(
    "options",
    [["--firmware", "stock"], ["--speed", "2"], ["--model", "lr"], ["--wait"], ["--fault", "stuck:start=1,for=1"]],
)
def test_option_that_the_firmware_decides_is_refused_with_qemu(options: list[str]) -> None:
    result = invoke("emulate", "--qemu", *options)
    assert result.exit_code == 2
    assert "QEMU" in result.output or "--qemu" in result.output
