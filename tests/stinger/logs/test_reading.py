from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stinger.errors import FileError, InputError
from stinger.logs import LogFormat, parse_log, read_log
from stinger.sample import axes
from stinger.shots import find_shots
from tests.helpers.permissions import needs_permissions, unreadable
from tests.helpers.samples import samples_at

HEADER = "timestamp_ms,ax,ay,az,gx,gy,gz,trigger\n"
CAPTURE_HEADER = "accel_x,accel_y,accel_z,gyro_x,gyro_y,gyro_z,trigger_state\n"
ROW = "10,1,2,3,4,5,6,0\n"
BIN = samples_at(np.arange(100) * 10).tobytes()


def parse(data: str | bytes) -> tuple[LogFormat, int]:
    log = parse_log(data.encode() if isinstance(data, str) else data, "log")
    return log.format, log.samples.size


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (BIN, (LogFormat.BIN, 100)),
        (HEADER + ROW, (LogFormat.CSV, 1)),
        (CAPTURE_HEADER + "1,2,3,4,5,6,0\n" * 33, (LogFormat.CAPTURE, 3)),
        ("\ufeff" + HEADER + ROW, (LogFormat.CSV, 1)),
        ((HEADER + ROW).replace("\n", "\r\n"), (LogFormat.CSV, 1)),
        (HEADER + ROW + "\n\n" + "20,1,2,3,4,5,6,0", (LogFormat.CSV, 2)),
        ("gz,trigger,ax,ay,az,gx,gy,timestamp_ms,battery\n6,1,1,2,3,4,5,10,99\n", (LogFormat.CSV, 1)),
    ],
)
def test_format_is_recognised_by_content(data: str | bytes, expected: tuple[LogFormat, int]) -> None:
    assert parse(data) == expected


def test_columns_may_stand_in_any_order() -> None:
    log = parse_log(b"gz,trigger,ax,ay,az,gx,gy,timestamp_ms\n6,1,1,2,3,4,5,10\n", "log")
    assert log.samples[0].item() == (10, 1, 2, 3, 4, 5, 6, 1)


def test_capture_rows_become_samples_by_rate_and_every() -> None:
    data = CAPTURE_HEADER + "".join(f"{i},0,0,0,0,0,0\n" for i in range(9))
    log = parse_log(data.encode(), "log", rate_hz=800, every=4)
    assert log.samples["ax"].tolist() == [0, 4, 8]
    assert log.samples["timestamp_ms"].tolist() == [0, 5, 10]


def test_values_outside_int16_are_clipped_and_counted() -> None:
    log = parse_log(f"{HEADER}0,-32773,32768,0,0,0,0,0\n{ROW}".encode(), "log")
    assert axes(log.samples)[0, :2].tolist() == [-32768, 32767]
    assert log.repairs.clipped == 2
    assert log.repairs.messages() == ["clipped 2 values outside int16 (-32768 to 32767)"]


def test_trailing_bytes_are_ignored_and_counted() -> None:
    log = parse_log(BIN + b"\1\2\3", "log")
    assert (log.samples.size, log.repairs.trailing_bytes) == (100, 3)


def test_log_of_two_boots_is_two_recordings() -> None:
    assert len(parse_log(BIN + BIN, "log").recordings) == 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"\1\2\3", "holds 3 bytes, less than one 17-byte sample record"),
        (b"\2" * 340, "byte 16: the trigger is 2, expected 0 or 1"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(200)), "the trigger is"),
        ("just some words\nand more\n", "line 1: is text, but 'just some words' is not the header of a log"),
        ("\n\n", "line 1: is text, but '' is not the header"),
        ("timestamp_ms,ax,ay\n1,2,3\n", "line 1: the header lacks az, gx, gy, gz, trigger"),
        ("accel_x,accel_y\n1,2\n", "line 1: the header lacks accel_z"),
        (HEADER, "line 2: has a header but no rows: expected one sample per line"),
        (HEADER.replace("ay", "ax") + ROW, "line 1: the header lacks ay"),
        (HEADER.replace("trigger", "trigger,ax") + ROW, "line 1: the header names ax more than once"),
        (HEADER + ROW + "20,1,2," + "9" * 5000 + ",4,5,6,0\n", "line 3: az is '9999"),
        (HEADER + ROW + "20,1,2,x,4,5,6,0\n", "line 3: az is 'x', expected a whole number"),
        (HEADER + ROW + "20,1,2,nan,4,5,6,0\n", "line 3: az is 'nan', expected a whole number"),
        (HEADER + ROW + "20,1,2,3.5,4,5,6,0\n", "line 3: az is '3.5', expected a whole number"),
        (HEADER + ROW + "20,1,2,,4,5,6,0\n", "line 3: az is '', expected a whole number"),
        (HEADER + ROW + "\n" + "20,1,2\n", "line 4: 3 columns, expected 8"),
        (HEADER + "20,1,2\n", "line 2: 3 columns, expected 8"),
        (HEADER + ROW + " \n" + ROW, "line 3: 1 column, expected 8"),
        (HEADER + ROW + "99999999999999999999,1,2,3,4,5,6,0\n", "line 3: timestamp_ms is '99999999999999999999'"),
        (HEADER + ROW + "\n4294967296,1,2,3,4,5,6,0\n", "line 4: timestamp_ms is 4294967296, expected 0 to 4294967295"),
        (HEADER + ROW + "-1,1,2,3,4,5,6,0\n", "line 3: timestamp_ms is -1"),
        (HEADER + ROW + "20,1,2,3,4,5,6,2\n", "line 3: trigger is 2, expected 0 or 1"),
        (HEADER.replace(",", ";") + ROW, "not the header of a log"),
        (HEADER + ROW + "20,1,2,3,4,5,6,\u0663\n", "line 3: trigger is"),
        (HEADER + ROW + "20,1,2,3,µ,5,6,0\n", "line 3: gx is"),
        (HEADER + ROW + "20,1,\0\x1b[2J,3,4,5,6,0\n", r"line 3: ay is '\x00\x1b[2J', expected"),
    ],
)
def test_unusable_content_is_one_line_with_its_place(data: str | bytes, message: str) -> None:
    content = data.encode() if isinstance(data, str) else data
    with pytest.raises(FileError) as caught:
        parse_log(content, "log")
    assert message in str(caught.value)
    assert str(caught.value).startswith("log: ")
    assert "\n" not in str(caught.value)


def test_missing_file_directory_and_unreadable_file_are_one_line_each(tmp_path: Path) -> None:
    for path, message in ((tmp_path / "none.bin", "No such file"), (tmp_path, "is not a regular file")):
        with pytest.raises(FileError, match=message):
            read_log(path)


@needs_permissions
def test_file_that_may_not_be_read_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "secret.bin"
    path.write_bytes(BIN)
    with unreadable(path) as name, pytest.raises(FileError, match="Permission denied"):
        read_log(name)


@pytest.mark.parametrize(("rate_hz", "every"), [(0.0, 16), (float("nan"), 16), (1600.0, 0)])
def test_impossible_capture_rate_is_refused(rate_hz: float, every: int) -> None:
    with pytest.raises(InputError):
        parse_log(BIN, "log", rate_hz=rate_hz, every=every)


@given(
    st.binary(max_size=300)
    | st.binary(max_size=100).map(lambda tail: HEADER.encode() + tail)
    | st.text("0123456789,-. \r\nx", max_size=100).map(lambda tail: (HEADER + ROW + tail).encode())
    | st.text("0123456789,-\n", max_size=100).map(lambda tail: (CAPTURE_HEADER + tail).encode())
)
def test_any_bytes_are_a_log_or_a_file_error(data: bytes) -> None:
    with suppress(FileError):
        log = parse_log(data, "log")
        assert log.samples.size == sum(len(recording) for recording in log.recordings) > 0


def test_real_capture_has_the_content_that_its_description_lists(capture_csv: Path) -> None:
    log = read_log(capture_csv)
    (recording,) = log.recordings
    shots = find_shots(recording)
    assert (log.format, len(recording), recording.rate_hz, recording.duration_ms) == (
        LogFormat.CAPTURE,
        2800,
        100,
        28_000,
    )
    assert (len(shots), int(shots.accepted.sum())) == (12, 10)


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n\r", "\r\r\n"])
@pytest.mark.parametrize("header", [HEADER.strip(), CAPTURE_HEADER.strip()], ids=["log", "capture"])
def test_a_csv_is_the_same_whatever_ends_its_lines(header: str, end: str) -> None:
    cells = header.count(",")
    rows = [header, *(",".join(str(10 * n if name == 0 else 0) for name in range(cells + 1)) for n in range(200))]
    log = parse_log((end.join(rows) + end).encode(), "log")
    assert log.samples.tobytes() == parse_log(("\n".join(rows) + "\n").encode(), "log").samples.tobytes()
    assert log.repairs.messages() == []


def test_a_csv_of_two_editors_is_read_and_a_fault_in_it_has_its_line() -> None:
    text = HEADER + "0,1,2,3,4,5,6,0\r10,1,2,3,4,5,6,0\r\n20,1,2,3,{},5,6,0\n"
    assert parse_log(text.format(4).encode(), "log").samples.size == 3
    with pytest.raises(FileError, match="line 4: gx is 'x'"):
        parse_log(text.format("x").encode(), "log")
