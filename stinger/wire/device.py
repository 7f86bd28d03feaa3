"""The blaster's half of the commands: bytes of a host in, bytes of a blaster out. What it knows and keeps is behind it."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from typing import Final, Protocol

from stinger.errors import DeviceError
from stinger.sample import SAMPLE_RATE_HZ, SampleArray
from stinger.wire import commands
from stinger.wire.commands import ModelSlot, ModelStatus
from stinger.wire.frames import SEQUENCE_MODULUS, encode_frames

STREAM_MAX_HZ: Final = 1600

_UPLOAD_ARGS: Final = re.compile(r"\s*([0-9]{1,10})\s+(?:0[xX])?([0-9a-fA-F]{1,8})(?![0-9a-fA-F])")
_STREAM_ARGS: Final = re.compile(r"\s*([0-9]{1,5})\s*")


class Blaster(Protocol):
    """What stands behind the protocol. Every method may raise :class:`DeviceError` with one of the protocol's reasons."""

    def read_log(self) -> bytes:
        """The log, as the bytes of a ``.bin``; never empty."""

    def samples_written(self) -> int:
        """How many samples the log holds."""

    def begin_upload(self) -> None:
        """Return if a model may be uploaded now (reasons: ``fs``, ``busy``, ``open``)."""

    def store_model(self, slot: ModelSlot, data: bytes) -> None:
        """Keep an uploaded file, whatever it holds (reason: ``rename``)."""

    def load_model(self, slot: ModelSlot) -> None:
        """Validate the file in ``slot`` and let it serve (reason: ``load``)."""

    def delete_models(self) -> None:
        """Forget every uploaded file; the factory models serve again (reason: ``delete``)."""

    def model_status(self) -> ModelStatus:
        """What serves now."""


@dataclass(slots=True)
class _Upload:
    slot: ModelSlot
    missing: int
    crc: int
    last_byte_s: float
    data: bytearray = field(default_factory=bytearray)


class DeviceLink:
    """One link to a host, from its opening on. Feed it the host's bytes and the time; send what it returns.

    ``stream_hz`` is the rate at which the host wants samples, 0 for none; :meth:`samples` makes the bytes for them.
    Without ``streams`` it is stock firmware, which does not know ``MLSTREAM``.
    """

    def __init__(self, blaster: Blaster, *, streams: bool = True) -> None:
        self.stream_hz = 0
        self._streams = streams
        self._blaster = blaster
        self._command = bytearray()
        self._upload: _Upload | None = None
        self._sequence = 0

    @property
    def sequence(self) -> int:
        """The number of the stream's next frame."""
        return self._sequence

    @property
    def awaited(self) -> int:
        """How many bytes of an upload are still missing; 0 while there is none."""
        return 0 if self._upload is None else self._upload.missing

    def receive(self, data: bytes, now_s: float) -> bytes:
        """Take the host's bytes, at ``now_s`` on any clock that only moves on, and return the answer."""
        answer = bytearray(self.tick(now_s))
        position = 0
        while position < len(data):
            if self._upload is not None:
                taken = data[position : position + self._upload.missing]
                position += len(taken)
                answer += self._upload_bytes(self._upload, taken, now_s)
            else:
                answer += self._command_byte(data[position], now_s)
                position += 1
        return bytes(answer)

    def tick(self, now_s: float) -> bytes:
        """Let time pass: what to send because an upload has stood still for too long, mostly nothing."""
        if self._upload is None or now_s - self._upload.last_byte_s <= commands.UPLOAD_TIMEOUT_S:
            return b""
        self._upload = None
        return _remark(f"{commands.MODEL_ERROR}timeout")

    def samples(self, samples: SampleArray) -> bytes:
        """The live stream's bytes for ``samples`` ``(n,)``: the next ``n`` frames."""
        first = self._sequence
        self._sequence = (first + samples.shape[0]) % SEQUENCE_MODULUS
        return encode_frames(samples, first)

    def _command_byte(self, byte: int, now_s: float) -> bytes:
        # The firmware looks at a command only if its first byte is an M, and has room for 63 characters.
        if byte in b"\r\n":
            command = self._command.decode("latin-1")
            self._command.clear()
            return self._obey(command, now_s)
        if self._command or byte == ord("M"):
            self._command.append(byte)
            if len(self._command) > commands.COMMAND_MAX_CHARS:
                self._command.clear()
        return b""

    def _obey(self, command: str, now_s: float) -> bytes:
        word, _, arguments = command.partition(" ")
        try:
            if word == commands.STREAM:
                return self._stream(arguments)
            if word.startswith(commands.MODEL_PUT):
                return self._put(word, arguments, now_s)
            return self._simple(command)
        except DeviceError as refused:
            mark = commands.DUMP_ERROR if word == commands.DUMP else commands.MODEL_ERROR
            return _remark(f"{mark}{refused.reason}")

    def _simple(self, command: str) -> bytes:
        """The commands that are one word; no answer to any other line."""
        if command == commands.DUMP:
            log = self._blaster.read_log()
            return b"%s%d\n%s\n%s\r\n" % (commands.DUMP_HEADER.encode(), len(log), log, commands.DUMP_DONE.encode())
        if command == commands.LOG_INFO:
            count = self._blaster.samples_written()
            return _remark(f"{commands.SAMPLES_WRITTEN}{count} (~{count / SAMPLE_RATE_HZ:.1f}s)")
        if command == commands.MODEL_INFO:
            return _describe(self._blaster.model_status())
        if command == commands.MODEL_DELETE:
            self._blaster.delete_models()
            return _remark(commands.MODEL_DELETED)
        slot = _slot(command, commands.MODEL_LOAD)
        if slot is None:
            return b""
        self._blaster.load_model(slot)
        return _remark(commands.MODEL_LOADED)

    def _stream(self, arguments: str) -> bytes:
        rate = _STREAM_ARGS.fullmatch(arguments)
        if not self._streams or rate is None or int(rate[1]) > STREAM_MAX_HZ:
            return b""
        self.stream_hz = int(rate[1])
        if self.stream_hz == 0:
            return f"{commands.STREAM_DONE}\n".encode("ascii")
        self._sequence = 0
        return f"{commands.STREAM_HEADER}{self.stream_hz}\n".encode("ascii")

    def _put(self, word: str, arguments: str, now_s: float) -> bytes:
        slot = _slot(word, commands.MODEL_PUT)
        if slot is None:
            return b""
        self._blaster.begin_upload()
        wanted = _UPLOAD_ARGS.match(arguments)
        if wanted is None or not 1 <= int(wanted[1]) <= commands.UPLOAD_MAX_BYTES:
            raise DeviceError("args", commands.MODEL_REFUSALS["args"])
        self._upload = _Upload(slot, missing=int(wanted[1]), crc=int(wanted[2], 16), last_byte_s=now_s)
        return _remark(commands.MODEL_READY)

    def _upload_bytes(self, upload: _Upload, data: bytes, now_s: float) -> bytes:
        upload.data += data
        upload.missing -= len(data)
        upload.last_byte_s = now_s
        if upload.missing:
            return b""
        self._upload = None
        if zlib.crc32(upload.data) != upload.crc:
            return _remark(f"{commands.MODEL_ERROR}crc")
        try:
            self._blaster.store_model(upload.slot, bytes(upload.data))
        except DeviceError as refused:
            return _remark(f"{commands.MODEL_ERROR}{refused.reason}")
        return _remark(commands.MODEL_OK)


def _slot(word: str, prefix: str) -> ModelSlot | None:
    return next((slot for slot in ModelSlot if word == f"{prefix}{slot.value}"), None)


def _describe(status: ModelStatus) -> bytes:
    values = {
        "model_source": status.source,
        "user_model_present": int(status.user_model_present),
        "user_has_lr": int(status.user_has_lr),
        "user_has_mlp": int(status.user_has_mlp),
        "cached_age_ms": status.cached_age_ms,
        **status.fingerprints,
    }
    return b"".join(_remark(f"{key}={value}") for key, value in values.items())


def _remark(text: str) -> bytes:
    return f"{commands.REMARK}{text}\r\n".encode("ascii")
