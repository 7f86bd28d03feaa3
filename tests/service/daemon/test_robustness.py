"""Whatever stands in a file or a variable: a value, or one line that a user can read."""

from __future__ import annotations

import json
import tempfile
import tomllib
from contextlib import suppress
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from service.config.config import KEYS, toml_value
from service.config.key import Key
from service.config.loading import load_config
from service.recording.recovery import recover
from service.recording.sidecar import read_sidecar
from stinger.errors import InputError
from tests.helpers.samples import random_samples
from tests.service.blocks import block_of
from tests.service.recording.test_recorder import recorder_in

toml_text = st.lists(
    st.one_of(
        st.sampled_from(
            [f"{entry.name} = " for entry in KEYS] + [f"[{entry.name.partition('.')[0]}]" for entry in KEYS]
        ),
        st.sampled_from(
            ["1", "-1", "0.5", "nan", "true", "'x'", "[]", "['serial:x']", "{}", "1979-05-27", "'''", "\n"]
        ),
        st.text(max_size=5),
    )
).map("\n".join)


@settings(max_examples=150, deadline=None)
@given(st.one_of(toml_text.map(lambda text: text.encode("utf-8", "replace")), st.binary(max_size=60)))
def test_any_file_is_a_configuration_or_one_line(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.toml")
        path.write_bytes(content)
        try:
            load_config(path, {}, {})
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017 - most examples end here, some do not


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(KEYS), st.text(max_size=12))
def test_any_variable_is_a_value_or_one_line(entry: Key, text: str) -> None:
    with suppress(InputError):
        value = entry.parse_text(text)
        if not entry.traits.secret:
            printed = tomllib.loads(f"value = {toml_value(value)}")["value"]
            assert entry.parse(printed) == value


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
def test_whatever_the_blocks_the_recordings_hold_every_sample_once(
    blocks: list[tuple[int, bool, str]], records_a_file: int
) -> None:
    came: dict[str, bytes] = {"a": b"", "b": b""}
    boot, time_ms = 0, 0
    with tempfile.TemporaryDirectory() as name:
        with recorder_in(Path(name), max_file_bytes=17 * records_a_file) as recorder:
            for seed, (count, reboot, device) in enumerate(blocks):
                boot, time_ms = (boot + 1, 0) if reboot else (boot, time_ms)
                samples = random_samples(count, first_ms=time_ms, seed=seed)
                time_ms += 10 * count
                assert recorder.append(block_of(samples, device=device, boot=boot)) == count
                came[device] += samples.tobytes()
        for device, expected in came.items():
            kept = [path.read_bytes() for path in sorted(Path(name, device).glob("*.bin"))]
            assert b"".join(kept) == expected
