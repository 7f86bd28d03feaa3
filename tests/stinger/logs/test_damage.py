"""Files as power cuts, full disks and careless copies leave them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stinger.errors import FileError
from stinger.logs import Log, parse_log
from stinger.logs.writing import encode_csv
from stinger.sample import SAMPLE_BYTES, SampleArray, axes, make_samples
from tests.helpers.patience import PATIENCE_S


def boot(first_ms: int, count: int, *, seed: int = 1) -> SampleArray:
    """Return samples of a blaster that is moved about, as a sensor measures them: never all zero."""
    random = np.random.default_rng(seed)
    channels = np.cumsum(random.normal(0, 60, (count, 6)), axis=0) + np.array([2048, 100, -300, 40, -600, 200])
    channels = np.clip(channels + random.normal(0, 30, (count, 6)), -32768, 32767).astype(np.int64)
    channels[channels == 0] = 1
    return make_samples(first_ms + 10 * np.arange(count), channels, (np.arange(count) // 40) % 5 == 1)


FIRST = boot(52_000, 300)
SECOND = boot(3_000, 200, seed=2)
A, B = FIRST.tobytes(), SECOND.tobytes()


def times_of(samples: SampleArray) -> npt.NDArray[np.int64]:
    """Return the true times of samples of FIRST, by their channels."""
    index = [int(np.flatnonzero((axes(FIRST) == row).all(axis=1))[0]) for row in axes(samples)]
    times: npt.NDArray[np.int64] = FIRST["timestamp_ms"].astype(np.int64)[index]
    return times


def lengths(log: Log) -> list[int]:
    return [len(recording) for recording in log.recordings]


@pytest.mark.parametrize("zeros", [1, 16, 17, 40, 256, 4096, 100_000])
@pytest.mark.parametrize("torn", [0, 4, 9, 14])
def test_zeros_at_the_end_are_cut_and_counted(zeros: int, torn: int) -> None:
    log = parse_log(A + B[:torn] + bytes(zeros), "log")
    assert log.samples.tobytes() == A
    left_out = log.repairs.zero_bytes + log.repairs.damaged_bytes + log.repairs.trailing_bytes
    assert left_out == torn + zeros
    if zeros >= 40:
        assert any("zero byte" in message for message in log.repairs.messages())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measures the memory of a process as Linux counts it")
@pytest.mark.parametrize("intact", [A + B[:9], b""], ids=["samples", "only zeros"])
def test_gigabyte_of_zeros_takes_little_more_memory_than_the_file(tmp_path: Path, intact: bytes) -> None:
    path = tmp_path / "log.bin"
    path.write_bytes(intact)
    os.truncate(path, 2**27)
    program = (
        "import sys\n"
        "from stinger.logs import read_log\n"
        "try: print(read_log(sys.argv[1]).repairs.zero_bytes)\n"
        "except Exception as error: print(error)\n"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, text=True, check=True, timeout=PATIENCE_S
    )
    outcome, memory = result.stdout.splitlines()
    assert outcome == str(2**27 - len(intact)) if intact else "all of them 0" in outcome
    assert int(memory) < 600_000  # kilobytes


@pytest.mark.parametrize("zeros", [17, 20, 100, 4096])
@pytest.mark.parametrize("torn", [0, 4, 9, 14])
def test_zeros_between_boots_are_cut_and_the_second_boot_is_found(zeros: int, torn: int) -> None:
    log = parse_log(A + B[:torn] + bytes(zeros) + B, "log")
    assert lengths(log) == [300, 200]
    assert log.samples.tobytes() == A + B
    assert log.repairs.zeros[0].at >= len(A)


def test_erased_flash_after_the_records_is_left_out() -> None:
    log = parse_log(A + b"\xff" * 4096, "log")
    assert log.samples.tobytes() == A
    assert log.repairs.messages() == ["left out 4,096 bytes that are not sample records at byte 5100"]


@pytest.mark.parametrize("missing", [missing for missing in range(1, 40) if missing % SAMPLE_BYTES])
@pytest.mark.parametrize("at", [0, 2, 7, 16])
def test_missing_bytes_cost_only_the_records_around_them(missing: int, at: int) -> None:
    place = 150 * SAMPLE_BYTES + at
    log = parse_log(A[:place] + A[place + missing :], "log")
    assert len(log.recordings) == 1
    assert len(log.samples) >= 300 - missing // SAMPLE_BYTES - 3
    assert np.isin(axes(log.samples), axes(FIRST)).all()
    assert (
        np.abs(log.samples["timestamp_ms"] - times_of(log.samples)).max() < 50
    )  # a damaged low byte of one time may remain
    assert "that are not sample records at byte 25" in log.repairs.messages()[0]


@pytest.mark.parametrize("missing", [1, 5, 13])
@pytest.mark.parametrize("from_end", [3, 4, 6, 9])
def test_missing_bytes_near_the_end_cost_only_the_records_around_them(missing: int, from_end: int) -> None:
    place = (300 - from_end) * SAMPLE_BYTES + 6
    log = parse_log(A[:place] + A[place + missing :], "log")
    assert len(log.recordings) == 1
    assert 296 <= len(log.samples) <= 299
    assert np.isin(axes(log.samples), axes(FIRST)).all()


@pytest.mark.parametrize("missing", [1, 4, 16, 20])
def test_missing_bytes_at_the_beginning_cost_only_the_first_records(missing: int) -> None:
    log = parse_log(A[missing:], "log")
    assert log.samples.tobytes() == A[(missing // SAMPLE_BYTES + 1) * SAMPLE_BYTES :]


@pytest.mark.parametrize("byte", range(4))
def test_record_with_a_damaged_time_is_left_out(byte: int) -> None:
    data = bytearray(A)
    data[100 * SAMPLE_BYTES + byte] ^= 0xE4
    log = parse_log(bytes(data), "log")
    assert len(log.recordings) == 1
    assert (
        299 <= len(log.samples) <= 300
    )  # a time that is wrong by less than a second shows only as a late sample or a pause


def test_record_with_a_damaged_trigger_is_left_out_and_its_byte_named() -> None:
    data = bytearray(A)
    data[100 * SAMPLE_BYTES + 16] = 77
    log = parse_log(bytes(data), "log")
    assert lengths(log) == [299]
    assert log.repairs.messages() == ["left out 17 bytes that are not sample records at byte 1700"]


@pytest.mark.parametrize("seed", range(20))
def test_pauses_of_a_blaster_that_lies_still_are_no_damage(seed: int) -> None:
    random = np.random.default_rng(seed)
    count, stretch = 2000, 150
    times = 52_000 + 10 * np.arange(count) + np.arange(count) // stretch * 2000
    rest = np.array([20, -2040, 12, 3, -2, 5]) + np.rint(random.normal(0, 3, (count, 6)))
    still = make_samples(times, rest, np.zeros(count)).tobytes()
    place = 5 + SAMPLE_BYTES * 333
    log = parse_log(still[:place] + still[place + 4 :], "log")
    assert len(log.recordings) == 1
    assert count - 3 <= len(log.samples) < count


def test_several_kinds_of_damage_in_one_file_are_all_mended() -> None:
    log = parse_log(A[:1000] + A[1004:] + bytes(512) + B[:-3] + b"garbage" + B[:-5] + bytes(4096), "log")
    assert lengths(log) == [298, 199, 199]


def test_short_boots_and_single_samples_between_pauses_are_kept() -> None:
    parts = [boot(5000, 100), boot(9_000_000, 1), boot(20_000_000, 60), boot(100, 2), boot(70_000, 40)]
    log = parse_log(b"".join(part.tobytes() for part in parts), "log")
    assert len(log.samples) == sum(part.size for part in parts)
    assert log.repairs.messages() == []


def test_file_of_zeros_only_is_refused_as_such() -> None:
    with pytest.raises(FileError, match="log: holds 4096 bytes, all of them 0: nothing was written to it"):
        parse_log(bytes(4096), "log")


def test_records_of_which_none_follows_another_are_refused() -> None:
    random = np.random.default_rng(3)
    samples = boot(0, 200)
    samples["timestamp_ms"] = random.integers(0, 2**32, 200)
    with pytest.raises(
        FileError, match="byte 0: is not a sample log: the times of its records do not follow each other"
    ):
        parse_log(samples.tobytes(), "log")


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 5000), st.binary(max_size=60), st.integers(0, 60)), max_size=5))
def test_no_damage_invents_a_sample_of_another_time(edits: list[tuple[int, bytes, int]]) -> None:
    data = A + B
    for at, added, removed in edits:
        data = data[:at] + added + data[at + removed :]
    with suppress(FileError):
        log = parse_log(data, "log")
        assert log.samples.size + len(log.repairs.late) + len(edits) * 6 >= 500 - sum(
            len(added) // 17 + removed // 17 + 3 for _, added, removed in edits
        )
        assert len(log.recordings) <= 2 + 2 * len(edits)


CSV = encode_csv(FIRST)


@pytest.mark.parametrize("cut", range(1, 40))
def test_last_line_of_a_csv_that_is_cut_off_is_left_out(cut: int) -> None:
    data = CSV[:-cut]
    log = parse_log(data, "log")
    lines = data.count(b"\n")
    complete = data.split(b"\n")[-1] in {b"", *CSV.split(b"\n")}
    assert np.isin(log.samples, FIRST).all()
    assert log.repairs.torn_lines == (() if complete else (lines + 1,))


def test_last_line_that_ends_with_another_column_is_left_out_without_a_line_end() -> None:
    rows = b"ax,ay,az,gx,gy,gz,trigger,timestamp_ms\n" + b"".join(
        b"1,2,3,4,5,6,0,%d\n" % t for t in range(1000, 2000, 10)
    )
    log = parse_log(rows[:-3], "log")
    assert log.samples["timestamp_ms"].tolist() == list(range(1000, 1990, 10))
    assert log.repairs.messages() == ["left out 1 line not written completely: line 101"]


def test_zeros_after_the_last_line_of_a_csv_are_cut() -> None:
    log = parse_log(CSV[:-7] + bytes(900), "log")
    assert (len(log.samples), log.repairs.zero_bytes, log.repairs.torn_lines) == (299, 900, (301,))


@pytest.mark.parametrize("kept", [0, 3, 20])
def test_zeros_in_the_middle_of_a_csv_are_cut_with_their_line(kept: int) -> None:
    lines = CSV.split(b"\n")
    lines[100] = lines[100][:kept] + bytes(600) + lines[100]
    log = parse_log(b"\n".join(lines), "log")
    assert log.samples.tobytes() == np.delete(FIRST, 99).tobytes()
    assert (log.repairs.zero_bytes, log.repairs.torn_lines) == (600, (101,))


def test_line_that_is_wrong_in_the_middle_of_a_csv_is_still_an_error() -> None:
    with pytest.raises(FileError, match="log: line 3: 2 columns, expected 8"):
        parse_log(CSV.replace(CSV.split(b"\n")[2], b"1,2"), "log")


def test_late_samples_of_a_csv_are_left_out_with_their_lines() -> None:
    samples = FIRST.copy()
    samples["timestamp_ms"][50::50] -= 20
    log = parse_log(encode_csv(samples), "log")
    assert lengths(log) == [295]
    assert log.repairs.messages() == ["left out 5 late or repeated samples at line 52, line 102, line 152, ..."]


def zipped(data: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("log.bin", data)
    return target.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (gzip.compress(A), r"is compressed \(gzip\): unpack it first, such as with 'gunzip'"),
        (gzip.compress(CSV), r"is compressed \(gzip\)"),
        (zipped(A), r"is compressed \(zip\)"),
        (lzma.compress(A), r"is compressed \(xz\)"),
        (bz2.compress(A), r"is compressed \(bzip2\)"),
        (bytes.fromhex("28b52ffd2414a90000") + bytes(range(100)), r"is compressed \(zstd\)"),
        (CSV.decode().encode("utf-16"), "is UTF-16 text: save it as UTF-8 first"),
        (CSV.decode().encode("utf-16-le"), "is UTF-16 text"),
        (CSV.decode().encode("utf-16-be"), "is UTF-16 text"),
        (CSV.decode().encode("utf-32"), "is UTF-32 text"),
    ],
)
def test_compressed_and_utf_16_files_are_named_as_such(data: bytes, message: str) -> None:
    with pytest.raises(FileError, match=message):
        parse_log(data, "log")


@pytest.mark.parametrize("magic", [b"\x1f\x8b\x08\x00", b"\xff\xfe\x01\x00", b"BZh\x00"])
def test_log_whose_first_time_looks_like_another_format_is_read(magic: bytes) -> None:
    assert len(parse_log(boot(int.from_bytes(magic, "little"), 50).tobytes(), "log").samples) == 50
