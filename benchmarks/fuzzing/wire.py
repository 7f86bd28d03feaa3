"""Decoders of bytes from blasters and hosts: frames, text streams, answers, commands, sample messages, models."""

from __future__ import annotations

import zlib
from random import Random

import numpy as np

from benchmarks.fuzzing.decoder import NUMBERS, Decoder
from service.base.source import Block, Intake, LinkReport
from service.base.wall_clock import HOST_CLOCK
from service.sources.block_builder import BlockBuilder
from service.sources.device_limit import DeviceLimit
from service.sources.mqtt_devices import MqttDevices, ReceivedMessage
from stinger.device_name import parse_device_name
from stinger.errors import DeviceError
from stinger.mlmd import LrModel, MlpModel, decode_mlmd, encode_mlmd, fingerprint
from stinger.sample import SampleArray, make_samples
from stinger.wire import commands, host
from stinger.wire.commands import ModelSlot, ModelStatus
from stinger.wire.device import DeviceLink
from stinger.wire.frames import DEVICE_SCORE_DTYPE, encode_frames, encode_scored_frames
from stinger.wire.sample_messages import SampleMessage, encode_message
from stinger.wire.stream import SampleStream
from stinger.wire.text_stream import STARTED, encode_rows

_DEVICE = parse_device_name("fuzzed")


def wire_decoders() -> list[Decoder]:
    """Return the decoders of this module, each with valid inputs."""
    samples = example_samples(40)
    scores = np.array([(0.25, 1)] * 40, dtype=DEVICE_SCORE_DTYPE)
    scored = encode_scored_frames(samples, scores, 100)
    frames = b"boot 1.2\r\nMLSTREAM1 100\n" + encode_frames(samples, 65_530)
    rows = f"{STARTED}\r\n".encode() + encode_rows(samples)
    words = tuple(
        value.encode() + b"\n" for name, value in vars(commands).items() if name.isupper() and isinstance(value, str)
    )
    messages = tuple(
        encode_message(SampleMessage(first, samples[:n])) for first, n in ((0, 1), (40, 20), (2**32 - 3, 5))
    )
    models = (encode_mlmd(_lr()), encode_mlmd(_mlp()))
    return [
        Decoder("live stream: frames", (frames[:400], frames, scored), _stream, 18, (b"\0", b"\xff\xff", b"\x01\x17")),
        Decoder("text stream of older firmware", (rows[:200], rows), _stream, 8, (b";", b"\n", b"\r\n", *NUMBERS)),
        Decoder("answers of a blaster, at the host", _answers(samples), _receive_answer, 14, (*words, *NUMBERS)),
        Decoder("commands of a host, at the blaster", _commands(models[0]), _receive_command, 8, (*words, *NUMBERS)),
        Decoder("samples over MQTT", messages, _SampleMessages().receive, 10),
        Decoder("model file of the blaster (MLMD)", models, _decode_model, 3, max_bytes=20_000),
    ]


def example_samples(count: int) -> SampleArray:
    """Return ``count`` samples ``(count,)`` at 100 Hz with two trigger pulls."""
    random = np.random.default_rng(1)
    time_ms = np.arange(count, dtype=np.int64) * 10 + 5000
    trigger = (np.arange(count) % 20 < 3).astype(np.int64)
    return make_samples(time_ms, random.integers(-3000, 3000, (count, 6)), trigger)


def _stream(data: bytes) -> None:
    """Decode as a link does: in pieces, with the next stages behind it."""
    stream, builder = SampleStream(), BlockBuilder(_DEVICE, HOST_CLOCK)
    cut = len(data) // 3
    for piece in (data[:cut], data[cut:]):
        samples = stream.feed(piece)
        if samples.size:
            builder.build(samples, 1)


def _answers(samples: SampleArray) -> tuple[bytes, ...]:
    """Return answers; the first byte chooses the command that was asked."""
    log = samples.tobytes()
    status = "".join(
        f"[ml] {line}\r\n"
        for line in (
            *("model_source=user", "user_model_present=1", "user_has_lr=1", "user_has_mlp=0", "cached_age_ms=12"),
            *("lr_intercept=0.125000", "lr_coef[0]=-1.000000", "mlp_b3=0.500000", "mlp_w1[0]=2.000000"),
        )
    )
    return (
        b"\0MLDUMP1 %d\n%s\nMLDUMP_DONE\n" % (len(log), log),
        b"\0[ml] ERROR: busy (firing)\n",
        b"\1[ml] samples_written=1200 (~12.0s)\n",
        b"\2[ml] MLMODEL_READY\n[ml] MLMODEL_OK\n",
        b"\2[ml] MLMODEL_ERR crc\n",
        b"\3[ml] MLMODEL_LOADED\n",
        b"\4[ml] MLMODEL_DELETED\n",
        b"\5" + status.encode(),
    )


def _receive_answer(data: bytes) -> None:
    exchange = (
        host.DumpLog,
        host.CountSamples,
        lambda: host.UploadModel(ModelSlot.LR, b"weights"),
        lambda: host.LoadModel(ModelSlot.MLP),
        host.DeleteModels,
        host.ReadModelStatus,
    )[data[0] % 6 if data else 0]()
    exchange.start()
    cut = len(data) // 2
    exchange.receive(data[1:cut])
    if not exchange.done:
        exchange.receive(data[max(1, cut) :])
    if not exchange.done:
        exchange.silence()
    if exchange.done:
        assert exchange.result is not None


def _commands(model: bytes) -> tuple[bytes, ...]:
    upload = b"MLMODEL_PUT_LR %d %08x\n" % (len(model), zlib.crc32(model)) + model
    lines = (b"MLSTREAM 100\nMLSTREAM 0\n", b"MLDUMP\nMLINFO\n", b"MLMODEL_INFO\nMLMODEL_LOAD_LR\nMLMODEL_DELETE\n")
    return (upload, *lines)


class _Blaster:
    """A blaster without state, which refuses every third request."""

    def __init__(self) -> None:
        self._requests = 0

    def read_log(self) -> bytes:
        self._maybe_refuse()
        return b"\0" * 17

    def samples_written(self) -> int:
        return 1

    def begin_upload(self) -> None:
        self._maybe_refuse()

    def store_model(self, slot: ModelSlot, data: bytes) -> None:
        del slot, data
        self._maybe_refuse()

    def load_model(self, slot: ModelSlot) -> None:
        del slot
        self._maybe_refuse()

    def delete_models(self) -> None:
        self._maybe_refuse()

    def model_status(self) -> ModelStatus:
        return ModelStatus("factory", False, False, False, commands.NEVER_MS)

    def _maybe_refuse(self) -> None:
        self._requests += 1
        if self._requests % 3 == 0:
            raise DeviceError("busy", "refused")


_BLASTER = _Blaster()


def _receive_command(data: bytes) -> None:
    link = DeviceLink(_BLASTER)
    cut = len(data) // 2
    link.receive(data[:cut], 0.0)
    link.receive(data[cut:], 1.0)
    link.tick(60.0)


class _NoIntake(Intake):
    """Takes link reports and blocks, and drops them."""

    async def put(self, block: Block) -> None:
        del block

    def link(self, report: LinkReport) -> None:
        del report


class _SampleMessages:
    """Receives messages of a few devices, one after another, as the daemon does."""

    def __init__(self) -> None:
        self._devices = MqttDevices("stinger", 2.0, DeviceLimit(8))
        self._intake = _NoIntake()
        self._random = Random(1)
        self._read_ns = 0

    def receive(self, data: bytes) -> None:
        self._read_ns += self._random.choice((1_000, 10_000_000, 3_000_000_000))
        topic = f"stinger/{data[0] % 9 if data else ''}/samples"
        self._devices.receive(ReceivedMessage(topic, data, self._read_ns), self._intake)
        self._devices.check_silence(self._intake, self._read_ns)


def _decode_model(data: bytes) -> None:
    model = decode_mlmd(data)
    fingerprint(model)
    assert encode_mlmd(model)[24:] == data[24:]


def _lr() -> LrModel:
    weights = np.linspace(-1, 1, 18)
    return LrModel(weights, np.abs(weights) + 1, weights, np.float32(0.5))  # type: ignore[arg-type]  # made float32 inside


def _mlp() -> MlpModel:
    random = np.random.default_rng(1)
    arrays = {name: random.normal(size=shape).astype(np.float32) for name, shape in MlpModel.SHAPES.items()}
    return MlpModel(**arrays)
