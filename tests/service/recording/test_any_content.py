"""Recovery and recorder with any content of files and any blocks."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from service.recording.recovery import recover
from service.recording.sidecar import read_sidecar
from tests.helpers.samples import random_samples
from tests.service.blocks import block_of
from tests.service.recording.test_recorder import recorder_in

json_bytes = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)
)


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=40),
    st.one_of(
        st.binary(max_size=40),
        st.fixed_dictionaries(
            {"schema": st.just(1), "device": json_bytes},
            optional={"started": json_bytes, "notes": json_bytes, "closed": json_bytes, "samples": json_bytes},
        ).map(lambda values: json.dumps(values).encode()),
    ),
)
def test_recovery_never_raises_and_leaves_whole_records(records: bytes, sidecar: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "d")
        folder.mkdir()
        path = folder / "20260131T170203.456Z.bin"
        path.write_bytes(records)
        path.with_suffix(".json").write_bytes(sidecar)
        found = recover(name)
        if found.closed:
            assert path.read_bytes() == records[: len(records) // 17 * 17]
            assert read_sidecar(path.with_suffix(".json")).closed
        elif not found.removed:
            assert path.read_bytes() == records


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 30), st.booleans(), st.sampled_from("ab")), max_size=12), st.integers(1, 40))
def test_recordings_hold_every_sample_once_for_any_blocks(
    blocks: list[tuple[int, bool, str]], records_a_file: int
) -> None:
    sent: dict[str, bytes] = {"a": b"", "b": b""}
    boot, time_ms = 0, 0
    with tempfile.TemporaryDirectory() as name:
        with recorder_in(Path(name), max_file_bytes=17 * records_a_file) as recorder:
            for seed, (count, reboot, device) in enumerate(blocks):
                boot, time_ms = (boot + 1, 0) if reboot else (boot, time_ms)
                samples = random_samples(count, first_ms=time_ms, seed=seed)
                time_ms += 10 * count
                assert recorder.append(block_of(samples, device=device, boot=boot)) == count
                sent[device] += samples.tobytes()
        for device, expected in sent.items():
            kept = [path.read_bytes() for path in sorted(Path(name, device).glob("*.bin"))]
            assert b"".join(kept) == expected
