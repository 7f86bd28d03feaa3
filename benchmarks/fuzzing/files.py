"""Decoders of files: logs, training sets, sidecars, registries, models, and the files of the bench."""

from __future__ import annotations

from importlib import resources
from io import BytesIO
from pathlib import Path

from benchmarks.fuzzing.decoder import JSON_TOKENS, NUMBERS, Decoder
from benchmarks.fuzzing.wire import example_samples
from hil.bench.scenario import parse_scenario
from models.dataset import INDEX_FILE, LABELS_FILE, META_FILE, WINDOWS_FILE, read_dataset
from models.factory import factory_model
from models.model_file import open_model
from models.model_meta import META_KEY, parse_meta
from models.onnx_wire import check_contents, metadata_value
from models.provenance import names_its_data
from models.registry import Registry
from service.config.broker_account import PASSWORD_FILE, local_account, prepare_account
from service.config.broker_address import read_password
from service.config.loading import load_config
from service.recording.age_clock import AgeClock
from service.recording.sidecar import EndReason, RecordingNote, Sidecar, read_sidecar
from stinger.logs import parse_log
from stinger.logs.bundle import BundledRecording, BundleWriter
from stinger.logs.marked import read_marked_log
from stinger.logs.writing import encode_bin, encode_csv
from stinger.marks import make_marks
from stinger.sample import SampleArray
from stinger.shots import MIN_SHOT_GAP_MS
from stinger.summary import summarise


def file_decoders(folder: Path) -> list[Decoder]:
    """Return all of them. Decoders that open a path use files in ``folder``."""
    samples = example_samples(60)
    csv = encode_csv(samples)
    capture = b"accel_x,accel_y,accel_z,gyro_x,gyro_y,gyro_z,trigger_state\n" + b"1,-2,2048,3,4,-32773,0\n" * 40
    sidecar = Sidecar("left", "2026-01-31T17:02:03.456Z", samples=60, notes=(RecordingNote("2026", "a note"),))
    sidecars = (sidecar.to_json(), Sidecar("b", "x", closed=True, end=EndReason.STOP, model="m").to_json())
    model = factory_model()
    return [
        Decoder("log .bin", (encode_bin(samples[:20]), encode_bin(samples)), _log, 5, (b"\0" * 17, b"\0" * 100)),
        Decoder(
            "log .csv", (csv[:400], csv), _log, 5, (b",", b"\n", b"\r", b"\xef\xbb\xbf", b"\0" * 40, *NUMBERS), 4096
        ),
        Decoder("capture .csv of older firmware", (capture,), _log, 3, (b",", b"\n", b"accel_x", *NUMBERS)),
        Decoder("bundle of recordings", (_bundle(samples[:20], samples),), _log, 2, _ZIP_TOKENS),
        Decoder("account of the embedded broker", (b"secret\n1883\n",), _Account(folder).read, 1),
        Decoder("training set", _dataset_seeds(), _Dataset(folder).read, 1, (*JSON_TOKENS, b"|", b"\r\n")),
        Decoder("sidecar of a recording", sidecars, _Sidecar(folder).read, 3, JSON_TOKENS),
        Decoder("marks in a sidecar", (_marked(samples),), _Marks(folder, samples).read, 3, JSON_TOKENS),
        Decoder("registry", (_JOURNAL,), _Registry(folder).read, 2, (*JSON_TOKENS, b"\n", b"20260101T000000.000Z-a")),
        Decoder(
            "retention.json", (b'{"trusted_s": 1.5e9, "trial_since_s": null}',), _AgeClock(folder).read, 2, JSON_TOKENS
        ),
        Decoder(
            "configuration file",
            (_CONFIG,),
            _Config(folder).read,
            3,
            (*NUMBERS, b"[", b"]", b"'''", b'"', b"\n[mqtt]\n"),
        ),
        Decoder("password file", (b"secret\n", b"\xef\xbb\xbfsecret\r\n"), _Password(folder).read, 2),
        Decoder("scenario of the bench", _scenarios(), _scenario, 2, (*NUMBERS, b"[", b"]", b'"', b"=", b"\n")),
        Decoder("ONNX file, before it is opened", (model.data,), _check_onnx, 3, max_bytes=100_000),
        Decoder("metadata of a model", (model.meta.to_json().encode(),), _meta, 3, JSON_TOKENS, max_bytes=8000),
        Decoder("ONNX model, opened and tried", (model.data,), open_model, 0.2, max_bytes=100_000),
    ]


_ZIP_TOKENS = (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x07", b"\xff\xff\xff\xff", b"\0\0\0\0")
_VERSIONS = ("20260101T000000.000Z-a", "20260102T000000.000Z-b")
_JOURNAL = b"""20260102T000000.000Z-b
{"time": "2026-01-01T00:00:00.000+00:00", "action": "add", "version": "20260101T000000.000Z-a"}
{"time": "2026-01-01T00:00:01.000+00:00", "action": "promote", "from": null, "to": "20260101T000000.000Z-a", "why": "x"}
{"time": "2026-01-02T00:00:01.000+00:00", "action": "promote", "from": "20260101T000000.000Z-a", "to": "20260102T000000.000Z-b"}
{"time": "2026-01-02T00:00:02.000+00:00", "action": "rollback", "from": "20260102T000000.000Z-b", "to": "20260101T000000.000Z-a"}
"""
_CONFIG = b"""sources = ["serial://auto", "replay:a.bin?speed=2&loop=forever"]
model = "champion"
threshold = 0.5
scores = true

[broker]
url = "mqtt://user@localhost:1883"

[metrics]
port = 9100

[recorder]
keep = "90d"
keep_size = "2GB"

[log]
level = "info"
format = "json"
"""


def _marked(samples: SampleArray) -> bytes:
    marks = make_marks([(0, 200), (400, 500)], [int(samples["timestamp_ms"][20])])
    return Sidecar("left", "2026", samples=60, marks=(marks,)).to_json()


def _bundle(*parts: SampleArray) -> bytes:
    file = BytesIO()
    writer = BundleWriter(file, [BundledRecording(part.size, 100.0, 1, ("a note",)) for part in parts])
    for part in parts:
        writer.add(part)
    writer.close()
    return file.getvalue()


def _log(data: bytes) -> None:
    log = parse_log(data, "log")
    log.repairs.messages()
    summarise(log, min_shot_gap_ms=MIN_SHOT_GAP_MS)


class _File:
    """A file of its own, written anew for each input."""

    name: str

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / self.name

    def _write(self, data: bytes) -> Path:
        self._path.write_bytes(data)
        return self._path


class _Sidecar(_File):
    name = "recording.json"

    def read(self, data: bytes) -> None:
        read_sidecar(self._write(data)).to_json()


class _Marks(_File):
    """A sidecar with marks beside its log."""

    name = "marked.json"

    def __init__(self, folder: Path, samples: SampleArray) -> None:
        super().__init__(folder)
        self._log = self._path.with_suffix(".bin")
        self._log.write_bytes(encode_bin(samples))

    def read(self, data: bytes) -> None:
        self._write(data)
        for marks in read_marked_log(self._log).marks:
            marks.text()


class _AgeClock(_File):
    name = "retention.json"

    def read(self, data: bytes) -> None:
        AgeClock(self._write(data)).check(1.6e9, 1.5e9, save=False)


class _Config(_File):
    name = "stinger.toml"

    def read(self, data: bytes) -> None:
        load_config(self._write(data), {}, {})


class _Account(_File):
    name = PASSWORD_FILE

    def read(self, data: bytes) -> None:
        folder = self._write(data).parent
        prepare_account(folder)
        local_account(folder, 1883)


class _Password(_File):
    name = "password"

    def read(self, data: bytes) -> None:
        read_password(self._write(data))


class _Registry:
    """A registry with two versions: the first line of an input becomes the champion's file, the rest the journal."""

    def __init__(self, folder: Path) -> None:
        self._registry = Registry(folder / "registry")
        for version in _VERSIONS:
            stored = self._registry.folder / "versions" / version
            stored.mkdir(parents=True, exist_ok=True)
            (stored / "model.onnx").write_bytes(b"")
            (stored / "report.json").write_bytes(b"{}")

    def read(self, data: bytes) -> None:
        champion, _, journal = data.partition(b"\n")
        (self._registry.folder / "champion").write_bytes(champion)
        (self._registry.folder / "journal.jsonl").write_bytes(journal)
        self._registry.earlier_champions()
        self._registry.rolled_back_versions()
        self._registry.version(_VERSIONS[1]).report()
        self._registry.champion()


class _Dataset:
    """A training set whose four files are the parts of an input between lines of ``|||``."""

    _NAMES = (META_FILE, INDEX_FILE, LABELS_FILE, WINDOWS_FILE)

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "dataset"
        self._folder.mkdir(parents=True, exist_ok=True)

    def read(self, data: bytes) -> None:
        parts = data.split(b"|||\n")
        for name, part in zip(self._NAMES, [*parts, b"", b"", b"", b""], strict=False):
            (self._folder / name).write_bytes(part)
        read_dataset(self._folder)


def _dataset_seeds() -> tuple[bytes, ...]:
    index = (
        b"row,label,shot_num,shot_timestamp_ms,distance_to_shot_ms,event_timestamp_ms,window_start_ms,window_end_ms,"
        b"source,session\n0,1,1,5000,0,5000,4400,4900,pos,a\n1,0,-1,-1,-1,9000,8400,8900,neg,a\n"
    )
    meta = b'{"window_samples": 2, "estimated_hz": 100.0, "lead_ms": 100.0, "inputs": [{"sha256": "00"}]}\n'
    return (b"|||\n".join((meta, index, b"\1\0", bytes(range(48)))),)


def _scenarios() -> tuple[bytes, ...]:
    return tuple(
        entry.read_bytes() for entry in resources.files("hil.scenarios").iterdir() if entry.name.endswith(".toml")
    )


def _scenario(data: bytes) -> None:
    scenario = parse_scenario(data, name="fuzzed", place="fuzzed.toml")
    scenario.device_faults()
    scenario.bench_faults()


def _check_onnx(data: bytes) -> None:
    check_contents(data)
    metadata_value(data, META_KEY)


def _meta(data: bytes) -> None:
    names_its_data(parse_meta(data.decode(errors="replace")))
