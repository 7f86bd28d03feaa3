"""The blaster's side of the command protocol: takes bytes of the host, returns bytes of the blaster."""

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

_UPLOAD_ARGS: Final = re.compile(r"\s*\+?([0-9]{1,10})\s+(?:0[xX])?([0-9a-fA-F]{1,8})(?![0-9a-fA-F])")
_STREAM_ARGS: Final = re.compile(r"\s*([0-9]{1,5})\s*")


class Blaster(Protocol):
    """The log and the models of a blaster. Any method may raise :class:`DeviceError` with a reason of the protocol."""

    def read_log(self) -> bytes:
        """Return the log as the bytes of a ``.bin`` file; never empty."""

    def samples_written(self) -> int:
        """Return the number of samples in the log."""

    def begin_upload(self) -> None:
        """Do nothing if a model may be uploaded now, otherwise raise (reasons: ``fs``, ``busy``, ``open``)."""

    def store_model(self, slot: ModelSlot, data: bytes) -> None:
        """Store an uploaded file without checking its content (reason: ``rename``)."""

    def load_model(self, slot: ModelSlot) -> None:
        """Validate the file in ``slot`` and use it from now on (reason: ``load``)."""

    def delete_models(self) -> None:
        """Delete every uploaded file; the factory models are used again (reason: ``delete``)."""

    def model_status(self) -> ModelStatus:
        """Return which models are in use."""


@dataclass(slots=True)
class _Upload:
    slot: ModelSlot
    missing: int
    crc: int
    last_byte_s: float
    data: bytearray = field(default_factory=bytearray)


class DeviceLink:
    """One link to a host, created when it is opened. Pass it the host's bytes and the time; send what it returns.

    ``stream_hz`` is the sample rate that the host asked for, 0 for none; :meth:`samples` encodes them.
    With ``streams=False`` it behaves like stock firmware, which does not know ``MLSTREAM``.

    The firmware looks at the first byte of a command without taking it. If that is not an ``M``, it leaves the byte
    there and hears nothing more on this link: ``deaf``. A line of 64 characters does the same.
    """

    def __init__(
        self, blaster: Blaster, *, streams: bool = True, upload_timeout_s: float = commands.UPLOAD_TIMEOUT_S
    ) -> None:
        self.stream_hz = 0
        self.deaf = False
        self._upload_timeout_s = upload_timeout_s
        self._streams = streams
        self._blaster = blaster
        self._command = bytearray()
        self._upload: _Upload | None = None
        self._sequence = 0

    @property
    def sequence(self) -> int:
        """Sequence number of the stream's next frame."""
        return self._sequence

    @property
    def awaited(self) -> int:
        """Number of bytes still missing of the current upload; 0 without one."""
        return 0 if self._upload is None else self._upload.missing

    def receive(self, data: bytes, now_s: float) -> bytes:
        """Process the host's bytes, received at ``now_s`` on any monotonic clock, and return the answer."""
        answer = bytearray(self.tick(now_s))
        position = 0
        while position < len(data) and not self.deaf:
            if self._upload is not None:
                taken = data[position : position + self._upload.missing]
                position += len(taken)
                answer += self._upload_bytes(self._upload, taken, now_s)
            else:
                answer += self._command_byte(data[position], now_s)
                position += 1
        return bytes(answer)

    def tick(self, now_s: float) -> bytes:
        """Check the timeout of an upload; return the error message if it has expired, otherwise nothing."""
        if self._upload is None or now_s - self._upload.last_byte_s <= self._upload_timeout_s:
            return b""
        self._upload = None
        return _answer(f"{commands.MODEL_ERROR}timeout")

    def samples(self, samples: SampleArray) -> bytes:
        """Encode ``samples`` ``(n,)`` as the next ``n`` frames of the live stream."""
        first = self._sequence
        self._sequence = (first + samples.shape[0]) % SEQUENCE_MODULUS
        return encode_frames(samples, first)

    def _command_byte(self, byte: int, now_s: float) -> bytes:
        if byte == ord("\n") and self._command:
            command = self._command.decode("latin-1").rstrip("\r")
            self._command.clear()
            return self._execute(command, now_s)
        if not self._command and byte != ord("M"):
            self.deaf = True
        self._command.append(byte)
        self.deaf = self.deaf or len(self._command) > commands.COMMAND_MAX_CHARS
        return b""

    def _execute(self, command: str, now_s: float) -> bytes:
        word, space, arguments = command.partition(" ")
        try:
            if word == commands.STREAM:
                return self._stream(arguments)
            if word.startswith(commands.MODEL_PUT) and space:
                return self._put(word, arguments, now_s)
            return self._simple(command)
        except DeviceError as refused:
            mark = commands.DUMP_ERROR if word == commands.DUMP else commands.MODEL_ERROR
            return b"".join(map(_answer, [*refused.lines, f"{mark}{refused.reason}"]))

    def _simple(self, command: str) -> bytes:
        """Execute a command of one word; return nothing for any other line."""
        if command == commands.DUMP:
            log = self._blaster.read_log()
            return b"%s%d\n%s\n%s\r\n" % (commands.DUMP_HEADER.encode(), len(log), log, commands.DUMP_DONE.encode())
        if command == commands.LOG_INFO:
            count = self._blaster.samples_written()
            return _answer(f"{commands.SAMPLES_WRITTEN}{count} (~{count / SAMPLE_RATE_HZ:.1f}s)")
        if command == commands.MODEL_INFO:
            return _describe(self._blaster.model_status())
        if command == commands.MODEL_DELETE:
            self._blaster.delete_models()
            return _answer(commands.MODEL_DELETED)
        slot = _slot(command, commands.MODEL_LOAD)
        if slot is None:
            return b""
        self._blaster.load_model(slot)
        return _answer(commands.MODEL_LOADED)

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
        return _answer(commands.MODEL_READY)

    def _upload_bytes(self, upload: _Upload, data: bytes, now_s: float) -> bytes:
        upload.data += data
        upload.missing -= len(data)
        upload.last_byte_s = now_s
        if upload.missing:
            return b""
        self._upload = None
        if zlib.crc32(upload.data) != upload.crc:
            return _answer(f"{commands.MODEL_ERROR}crc")
        try:
            self._blaster.store_model(upload.slot, bytes(upload.data))
        except DeviceError as refused:
            return _answer(f"{commands.MODEL_ERROR}{refused.reason}")
        return _answer(commands.MODEL_OK)


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
    return b"".join(_answer(f"{key}={value}") for key, value in values.items())


def _answer(text: str) -> bytes:
    return f"{commands.LINE_PREFIX}{text}\r\n".encode("ascii")
