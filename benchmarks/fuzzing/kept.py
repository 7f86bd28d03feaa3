"""Decoders of what the program keeps for itself: held samples, open recordings, results of the page and of the bench."""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from argon2 import PasswordHasher

from benchmarks.fuzzing.decoder import JSON_TOKENS, Decoder
from benchmarks.fuzzing.wire import example_samples
from hil.limits import Limit, Verdict
from hil.record import Latency, Measurement, RunRecord, ScenarioRecord, TimelineEntry
from models.storage.shared_recordings import written_in_part
from models.version import RECORD_FILE, REPORT_FILE, Version
from replay.plots.exploration_files import SUMMARY_FILE, earlier_files
from service.config.topic_root import TopicRoot
from service.mqtt.root_change import RootChange
from service.recording.daemon_id import DAEMON_ID_NAME, daemon_id
from service.recording.held_journal import restore_held
from service.recording.recovery import recover
from service.recording.sidecar import Sidecar
from service.retraining.report_names import JSON_FILE, REPORTS_FOLDER
from service.round_trip.personal_result import (
    RESULT_FILE,
    PersonalModelResult,
    PersonalResult,
    read_result,
    write_result,
)
from service.web.bench_runs import BENCH_FOLDER, past_reports
from service.web.passwords import read_password_hash
from service.web.step_times import StepTimes
from service.web.stored_models import false_spin_ups_text, in_time_text
from service.web.training_result import newest_result
from stinger.logs.writing import encode_bin
from stinger.sample import SAMPLE_BYTES

_STEM = "20260131T170203.456Z"
_METRICS = {"accepted_shots": 10, "in_time": 0.9, "minutes": 10.0, "false_per_minute": 0.3, "duty": 0.25}


def kept_decoders(folder: Path) -> list[Decoder]:
    """Return all of them. They use files in ``folder``."""
    record = _bench_record().encode()
    stored = json.dumps({"sha256": "0" * 64, "us_per_sample": 12.5}).encode()
    steps = b'{"TRAIN": [["", 3.0], ["Reading", 9.6]]}'
    hashed = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("a long secret").encode()
    personal = _write_personal(folder / "seed")
    return [
        Decoder("held samples after a kill", (_held(),), _Held(folder / "held").read, 2, max_bytes=4096),
        Decoder("open recording and its sidecar", (_open(),), _Open(folder / "open").read, 2, JSON_TOKENS),
        Decoder("record of a stored model", (stored,), _file(folder / "v", RECORD_FILE, _stored), 1, JSON_TOKENS),
        Decoder("figures of a model, at the page", (json.dumps(_METRICS).encode(),), _figures, 1, JSON_TOKENS),
        Decoder("record of the bench", (record,), _bench, 2, JSON_TOKENS, max_bytes=4096),
        Decoder("runs of the bench, at the page", (record,), _runs(folder / "runs"), 1, JSON_TOKENS, max_bytes=4096),
        Decoder("result of a training", (_training(),), _trainings(folder / "trained"), 1, JSON_TOKENS),
        Decoder("result of a personalisation", (personal,), _file(folder / "p", RESULT_FILE, _result), 1, JSON_TOKENS),
        Decoder("times of steps, at the page", (steps,), _file(folder / "s", "steps", StepTimes), 1, JSON_TOKENS),
        Decoder("password of the page", (hashed,), _file(folder / "w", "page", read_password_hash), 1, (b"$", b"=")),
        Decoder("names in an exploration", (_summary(),), _file(folder / "e", SUMMARY_FILE, _explored), 1, JSON_TOKENS),
        Decoder(
            "topic root used before", (b"halls/east\n",), _file(folder / "r", "topic-root", _root), 1, (b"/", b"#")
        ),
        Decoder("id of a daemon", (b"hall-1-3f9c02ab\n",), _file(folder / "i", DAEMON_ID_NAME, _id), 1),
        Decoder(
            "sidecar of a shared recording",
            (b'{"samples": 3}',),
            _copies(folder / "c"),
            1,
            JSON_TOKENS,
        ),
    ]


def _file(folder: Path, name: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """Return a decoder that writes its input to the file ``name`` in ``folder`` and passes that file to ``read``."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name

    def decode(data: bytes) -> None:
        path.write_bytes(data)
        read(path)

    return decode


def _held() -> bytes:
    """Return an entry of the journal as :class:`_Held` takes it: without magic and checksum."""
    samples = example_samples(8).tobytes()
    head = b"".join(number.to_bytes(4, "little") for number in (4, len(samples) // SAMPLE_BYTES))
    times = (7).to_bytes(8, "little") + (1_700_000_000_000).to_bytes(8, "little")
    return head + times + bytes.fromhex("000040aa1c54d941") + b"left" + samples


class _Held:
    """A journal of one entry whose checksum is right, so that the content behind it is decoded."""

    def __init__(self, folder: Path) -> None:
        self._recordings = folder / "recordings"
        self._path = folder / "held-samples"
        folder.mkdir(parents=True, exist_ok=True)

    def read(self, data: bytes) -> None:
        self._path.write_bytes(b"HELD" + zlib.crc32(data).to_bytes(4, "little") + data)
        try:
            restore_held(self._path, self._recordings)
        finally:
            shutil.rmtree(self._recordings, ignore_errors=True)


def _open() -> bytes:
    sidecar = Sidecar("left", "2026-01-31T17:02:03.456Z", boot=7, clock_zero_ms=1_769_878_900_000, samples=20)
    return sidecar.to_json() + b"|||\n" + encode_bin(example_samples(20))


class _Open:
    """A recording that a killed daemon left open: its sidecar and its samples are the parts of an input."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "left" / f"{_STEM}.bin"
        self._path.parent.mkdir(parents=True, exist_ok=True)

    def read(self, data: bytes) -> None:
        sidecar, _, samples = data.partition(b"|||\n")
        self._path.with_suffix(".json").write_bytes(sidecar)
        self._path.write_bytes(samples)
        recover(self._folder)


def _stored(path: Path) -> None:
    version = Version("20260101T000000.000Z-a", path.parent)
    path.with_name(REPORT_FILE).write_bytes(b"{}")
    version.record()


def _figures(data: bytes) -> None:
    try:
        metrics = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(metrics, dict):
        in_time_text(metrics)
        false_spin_ups_text(metrics)


def _bench_record() -> str:
    latency = Latency("sample: read to scored", 3, 1.0, 2.0, 3.0, 3.0, 3.0, [(1.0, 2), (3.0, 1)])
    measured = Measurement("samples lost", "", 0.0, Limit(at_most=0.0))
    timeline = TimelineEntry(1.0, "fault", "unplugged", 2.0)
    scenario = ScenarioRecord(
        "steady", "A title", "emulated", 1, 0.5, 8.0, Verdict.PASS, "", [measured], [latency], [timeline]
    )
    return RunRecord("2026-01-31T17:02:03Z", 9.0, Verdict.PASS, {"python": "3.11"}, [scenario]).to_json()


def _bench(data: bytes) -> None:
    RunRecord.from_json(data.decode(errors="replace"), name="record.json").to_json()


def _runs(data_dir: Path) -> Callable[[bytes], object]:
    folder = data_dir / BENCH_FOLDER / _STEM
    folder.mkdir(parents=True)
    (folder / "report.html").write_bytes(b"")
    return _file(folder, "record.json", lambda _path: past_reports(data_dir))


def _training() -> bytes:
    one = {"name": "mlp:rich", "held_out": _METRICS}
    contest = {"champion": one, "challengers": [one]}
    return json.dumps(
        {"time": "2026-01-31T17:02:03Z", "outcome": "promoted", "why": ["x"], "contest": contest}
    ).encode()


def _trainings(data_dir: Path) -> Callable[[bytes], object]:
    return _file(data_dir / REPORTS_FOLDER / _STEM, JSON_FILE, lambda _path: newest_result(data_dir))


def _write_personal(folder: Path) -> bytes:
    folder.mkdir(parents=True)
    one = PersonalModelResult("LR", "lr.bin", 50, True, "figures", "verdict", "")
    write_result(folder, PersonalResult((one,), (("a.png", "a"),), (("a.md", "b"),)))
    return (folder / RESULT_FILE).read_bytes()


def _result(path: Path) -> None:
    asdict(read_result(path.parent))


def _summary() -> bytes:
    return json.dumps({"files": ["summary.json", "shots/shot_001_t5.png", "../x", "dataset.png"]}).encode()


def _explored(path: Path) -> None:
    assert all(".." not in name for name in earlier_files(path.parent))


def _root(path: Path) -> None:
    RootChange(path.parent, TopicRoot(), used_before=True)


def _id(path: Path) -> None:
    daemon_id(path.parent)


def _copies(folder: Path) -> Callable[[bytes], object]:
    decode = _file(folder, "a.json", lambda path: written_in_part(path.with_suffix(".bin")))
    (folder / "a.bin").write_bytes(bytes(2 * SAMPLE_BYTES))
    return decode
