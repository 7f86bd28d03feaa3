"""Damaged data is searched stretch by stretch, with little memory, and the stretches do not show in what is found."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stinger.logs.record_positions import STRETCH, RecordPositions
from stinger.logs.records import find_records
from stinger.sample import SAMPLE_BYTES
from tests.helpers.samples import samples_at

LOG = samples_at(range(0, 400, 10), channels=np.arange(240).reshape(40, 6) % 50).tobytes()

DAMAGED = st.one_of(
    st.binary(min_size=SAMPLE_BYTES, max_size=600),
    st.lists(st.integers(0, 1), min_size=SAMPLE_BYTES, max_size=400).map(bytes),
    st.tuples(st.integers(0, len(LOG) - 100), st.integers(0, 60), st.binary(max_size=60)).map(
        lambda cut: LOG[: cut[0]] + cut[2] + LOG[cut[0] + cut[1] :]
    ),
)


@given(DAMAGED, st.sampled_from([1, 2, 3, 8]))
def test_what_is_found_does_not_depend_on_the_stretches(data: bytes, records: int) -> None:
    whole, parts = RecordPositions(data), RecordPositions(data, stretch=SAMPLE_BYTES * records)
    assert whole.run.tolist() == parts.run.tolist()
    assert whole.chains.tolist() == parts.chains.tolist()


@given(DAMAGED)
def test_the_length_of_a_row_is_one_more_than_that_of_the_record_after_it(data: bytes) -> None:
    positions = RecordPositions(data)
    for at, run in enumerate(positions.run.tolist()):
        after = at + SAMPLE_BYTES
        joined = run > 0 and after < positions.count and positions.can_begin(after) and positions.follows(at, after)
        assert run == (1 + int(positions.run[after]) if joined else min(run, 1))


@pytest.mark.parametrize("missing_bytes", [3, 8, 16])
def test_searching_a_damaged_file_needs_at_most_eight_bytes_of_memory_for_each_of_the_file(missing_bytes: int) -> None:
    count = 40 * STRETCH // SAMPLE_BYTES
    data = samples_at(np.arange(count) * 10, channels=np.arange(6 * count).reshape(count, 6) % 3000).tobytes()
    middle = len(data) // 2
    data = data[:middle] + data[middle + missing_bytes :]
    tracemalloc.start()
    try:
        found = find_records(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count - 4 <= found.samples.size < count
    assert peak < 8 * len(data)
