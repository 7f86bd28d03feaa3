from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stinger.errors import FileError
from stinger.logs import parse_log, read_log, write_log
from stinger.logs.writing import encode_csv
from stinger.sample import SampleArray
from tests.helpers.samples import samples_at, samples_of_bytes


def _in_order(raw: bytes) -> SampleArray:
    samples = samples_of_bytes(raw)
    samples["timestamp_ms"] = 10 + 10 * np.arange(samples.size)
    return samples


@given(st.binary(min_size=17, max_size=17 * 50).map(_in_order))
def test_bin_to_csv_to_bin_gives_the_same_bytes(samples: SampleArray) -> None:
    through_csv = parse_log(encode_csv(samples), "log.csv").samples
    assert through_csv.tobytes() == samples.tobytes()
    assert parse_log(samples.tobytes(), "log.bin").samples.tobytes() == samples.tobytes()


@pytest.mark.parametrize("name", ["log.bin", "log.csv", "LOG.CSV"])
def test_written_log_reads_back(tmp_path: Path, name: str) -> None:
    samples = samples_at(np.arange(30) * 10)
    write_log(tmp_path / name, samples)
    assert read_log(tmp_path / name).samples.tobytes() == samples.tobytes()


def test_csv_is_written_as_the_blaster_writes_it() -> None:
    assert encode_csv(samples_at([7], trigger=[1])) == b"timestamp_ms,ax,ay,az,gx,gy,gz,trigger\n7,0,0,0,0,0,0,1\n"


def test_other_ending_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"expected \.bin or \.csv"):
        write_log(tmp_path / "log.txt", samples_at([1]))
    assert list(tmp_path.iterdir()) == []
