"""Following a recording that is being written: only whole records, in order, each once, also in the next file."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from service.web.recording_tail import RecordingTail
from stinger.device_name import DeviceName
from stinger.sample import SAMPLE_BYTES
from tests.helpers.samples import counting_samples

DEVICE = DeviceName("b1")
DATA = counting_samples(0, 200).tobytes()


class Clock:
    """A clock that is a second later at each look."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 1.0
        return self.now_s


@given(cuts=st.lists(st.integers(0, len(DATA)), max_size=8))
def test_whole_records_are_read_once_and_in_order(tmp_path_factory: object, cuts: list[int]) -> None:
    folder = tmp_path_factory.mktemp("tail")  # type: ignore[attr-defined]  # Hypothesis wants no function-scoped fixture
    path = folder / "b1" / "20260101T000000.000Z.bin"
    path.parent.mkdir()
    tail = RecordingTail(folder, DEVICE, Clock())
    received = b""
    with path.open("wb", buffering=0) as file:
        at = 0
        for cut in [*sorted(cuts), len(DATA)]:
            file.write(DATA[at:cut])
            at = cut
            new, _ = tail.read_new()
            assert len(new) % SAMPLE_BYTES == 0
            received += new
    tail.close()
    assert received == DATA


def test_the_next_recording_is_followed_from_its_beginning(tmp_path: Path) -> None:
    (tmp_path / "b1").mkdir()
    tail = RecordingTail(tmp_path, DEVICE, Clock())
    assert tail.read_new() == (b"", False)
    for name, records in (("20260101T000000.000Z", 3), ("20260101T000001.000Z", 5)):
        (tmp_path / "b1" / f"{name}.bin").write_bytes(DATA[: records * SAMPLE_BYTES])
        (tmp_path / "b1" / f"{name}.json").write_bytes(b"{}")
        assert tail.read_new() == (DATA[: records * SAMPLE_BYTES], True)
        assert tail.path is not None
        assert tail.path.stem == name
    tail.close()


def test_of_a_long_recording_the_last_five_minutes_are_read(tmp_path: Path) -> None:
    (tmp_path / "b1").mkdir()
    long = counting_samples(0, 100_000).tobytes()
    (tmp_path / "b1" / "20260101T000000.000Z.bin").write_bytes(long + b"torn")
    tail = RecordingTail(tmp_path, DEVICE, Clock())
    new, begun = tail.read_new()
    tail.close()
    assert begun
    assert new == long[-300 * 100 * SAMPLE_BYTES :]
