"""The live stream: one COBS frame per sample, recognised among text lines and damaged bytes.

A frame is 22 bytes: type (1), sequence number (u16, little-endian), the 17-byte sample record, and CRC-16/CCITT-FALSE
(polynomial 0x1021, initial value 0xFFFF) of these 20 bytes with its high byte first, so that the CRC of a whole frame
is 0. A frame of type 2 has the device's own score of the sample after the record: probability (f32) and flags (u8).
COBS encodes either without a zero, one byte longer; a zero byte ends it. The second encoded byte is the type, which is
not text.
"""

from __future__ import annotations

from binascii import crc_hqx
from dataclasses import dataclass
from struct import Struct
from typing import Final

import numpy as np
import numpy.typing as npt
from cobs import cobs

from stinger.sample import SAMPLE_BYTES, SAMPLE_DTYPE, SampleArray

FRAME_TYPE: Final = 1
SCORED_FRAME_TYPE: Final = 2
FRAME_BYTES: Final = 22
ENCODED_BYTES: Final = 23
"""Length of a COBS-encoded frame, without the zero byte that ends it."""
SCORED_FRAME_BYTES: Final = 27
SCORED_ENCODED_BYTES: Final = 28
"""The same for a frame with a score."""
WHEELS_FLAG: Final = 1
"""Bit of a score's flags: the device's wheels are on."""
KNOWN_FLAG: Final = 2
"""Bit of a score's flags: the probability is a model's output. Without it, the window was not full yet."""
DEVICE_SCORE_DTYPE: Final = np.dtype([("probability", "<f4"), ("flags", "u1")])
"""The device's own score of a sample; the probability is NaN where there is none."""
SEQUENCE_MODULUS: Final = 2**16

TAIL_MAX_BYTES: Final = 4096
"""The most bytes that the decoder keeps while it waits for a zero byte: a sender without one must not fill the memory."""

LATE_MAX_RUN: Final = 4
"""Up to this many frames in a row behind the newest are late or repeated ones; more mean that the device restarted."""

_ENCODED_SIZES: Final = {ENCODED_BYTES: FRAME_BYTES, SCORED_ENCODED_BYTES: SCORED_FRAME_BYTES}
_TYPES: Final = {FRAME_BYTES: FRAME_TYPE, SCORED_FRAME_BYTES: SCORED_FRAME_TYPE}
_TELNET_ESCAPE: Final = b"\xff\xff"
_TELNET_FRAMES_MIN: Final = 3
_HEAD: Final = Struct("<BH")
_CRC_START: Final = 0xFFFF
_TRIGGER_AT: Final = 19
_SCORE_AT: Final = 20
_TEXT: Final = frozenset(range(0x20, 0x7F)) | frozenset(b"\t")


def encode_frames(samples: SampleArray, sequence: int) -> bytes:
    """Encode ``samples`` ``(n,)`` as frames numbered from ``sequence`` (modulo 2**16), each with its zero byte."""
    records = samples.astype(SAMPLE_DTYPE, copy=False).tobytes()
    out = bytearray()
    for i in range(samples.shape[0]):
        body = _HEAD.pack(FRAME_TYPE, (sequence + i) % SEQUENCE_MODULUS)
        _append_frame(out, body + records[i * SAMPLE_BYTES : (i + 1) * SAMPLE_BYTES])
    return bytes(out)


def encode_scored_frames(samples: SampleArray, scores: npt.NDArray[np.void], sequence: int) -> bytes:
    """Encode ``samples`` ``(n,)`` with the device's ``scores`` ``(n,)`` of DEVICE_SCORE_DTYPE, as :func:`encode_frames`."""
    records, scored = samples.astype(SAMPLE_DTYPE, copy=False).tobytes(), scores.tobytes()
    out, size = bytearray(), DEVICE_SCORE_DTYPE.itemsize
    for i in range(samples.shape[0]):
        body = _HEAD.pack(SCORED_FRAME_TYPE, (sequence + i) % SEQUENCE_MODULUS)
        body += records[i * SAMPLE_BYTES : (i + 1) * SAMPLE_BYTES]
        _append_frame(out, body + scored[i * size : (i + 1) * size])
    return bytes(out)


@dataclass(frozen=True, slots=True, eq=False)
class FrameBlock:
    """What was decoded from one call: ``samples`` ``(n,)``, the sequence number of each, and text lines.

    ``scores`` ``(n,)`` of DEVICE_SCORE_DTYPE are the device's own; ``None`` if no frame had one.
    """

    samples: SampleArray
    sequence: tuple[int, ...]
    lines: tuple[str, ...]
    scores: npt.NDArray[np.void] | None = None


class FrameDecoder:
    """Finds every intact frame in a stream, whatever bytes are between them.

    Damage costs only the frames that it touches. Counters since the start: ``frames`` delivered; frames ``lost``, by
    the sequence numbers; frames ``out_of_order`` (numbered at or behind the last one: repeated, late, or from a device
    that restarted); and stretches of bytes ``corrupted`` that were neither frame nor text. ``telnet_escaped`` counts
    damaged frames that would be intact if each doubled byte 0xFF were one, as telnet sends it.
    """

    def __init__(self) -> None:
        self.frames = 0
        self.lost = 0
        self.out_of_order = 0
        self.corrupted = 0
        self.telnet_escaped = 0
        self._tail = b""
        self._read = 0  # end of the part of the tail that was searched for text lines
        self._noise: int | None = None  # position in that part at which bytes that are not text begin
        self._last_sequence: int | None = None  # of the newest frame, ignoring late ones
        self._late_run = 0

    @property
    def looks_like_telnet(self) -> bool:
        """Whether a bridge in telnet mode must be on the way: no other fault doubles every byte 0xFF."""
        return self.telnet_escaped >= _TELNET_FRAMES_MIN

    def feed(self, data: bytes) -> FrameBlock:
        """Process the next bytes of the stream and return the frames and lines that they complete."""
        *chunks, tail = (self._tail + data).split(b"\0")
        frames: list[bytes] = []
        lines: list[str] = []
        for chunk in chunks:
            frame = _decode(chunk)
            if frame is None and chunk:
                # Damage before a frame must not lose the frame: try the last bytes.
                frame = _decode_end(chunk)
                if frame is None and _TELNET_ESCAPE in chunk:
                    self.telnet_escaped += _decode_end(chunk.replace(_TELNET_ESCAPE, b"\xff")) is not None
                self._end_text(chunk[: -len(frame) - 1] if frame else chunk, lines)
            if frame:
                frames.append(frame)
            self._read, self._noise = 0, None
        self._tail = tail
        # Return text without waiting for a zero byte, but keep the bytes that may be the start of a frame.
        self._search(tail[: tail.rfind(b"\n") + 1], lines)
        self._trim()
        return self._block(frames, lines)

    def find_single(self, data: bytes) -> bytes | None:
        """Return the sample record in ``data`` if that is exactly the frame that is due and no byte waits before it.

        Has no effect; :meth:`take_single` then takes the frame.
        """
        last = self._last_sequence
        if last is None or self._tail or data[-1:] != b"\0":
            return None
        frame = _decode(data[:-1])
        if frame is None or _HEAD.unpack_from(frame)[1] != (last + 1) % SEQUENCE_MODULUS:
            return None
        return frame[_HEAD.size : _HEAD.size + SAMPLE_BYTES]

    def take_single(self) -> None:
        """Count the frame that :meth:`find_single` has just found: its bytes are not for :meth:`feed`."""
        assert self._last_sequence is not None
        self.frames += 1
        self._late_run = 0
        self._last_sequence = (self._last_sequence + 1) % SEQUENCE_MODULUS

    def _end_text(self, rest: bytes, lines: list[str]) -> None:
        """Add the lines of text in ``rest``, which a zero byte or a frame ended, and count damage in it."""
        self._search(rest + b"\n", lines)
        if self._noise is not None and self._noise < len(rest):
            self.corrupted += 1

    def _search(self, data: bytes, lines: list[str]) -> None:
        """Add the lines of text in ``data`` after the end of the last search, and store where other bytes begin."""
        for line in data[self._read :].splitlines(keepends=True):
            text = line.rstrip(b"\r\n")
            if not _TEXT.issuperset(text):
                self._noise = self._read if self._noise is None else self._noise
            elif text:
                lines.append(text.decode("ascii"))
            self._read += len(line)

    def _trim(self) -> None:
        """Drop what can no longer be part of a frame: text that was returned, and the excess of a tail that is too long."""
        surplus = len(self._tail) - SCORED_ENCODED_BYTES
        drop = surplus if len(self._tail) > TAIL_MAX_BYTES else min(self._read, surplus)
        if drop <= 0:
            return
        unread = drop > self._read
        if unread or (self._noise is not None and self._noise < drop):
            self.corrupted += 1
            self._noise = None
        self._tail = self._tail[drop:]
        self._read = max(0, self._read - drop)
        self._noise = None if self._noise is None else self._noise - drop

    def _block(self, frames: list[bytes], lines: list[str]) -> FrameBlock:
        # Frames of a live stream arrive one at a time, and a NumPy call takes longer than decoding one: make only one
        # call.
        numbers = [_HEAD.unpack_from(frame)[1] for frame in frames]
        self._count(numbers)
        records = bytearray().join([frame[_HEAD.size : _HEAD.size + SAMPLE_BYTES] for frame in frames])
        scored = any(len(frame) == SCORED_FRAME_BYTES for frame in frames)
        return FrameBlock(
            samples=np.frombuffer(records, dtype=SAMPLE_DTYPE),
            sequence=tuple(numbers),
            lines=tuple(lines),
            scores=_scores_of(frames) if scored else None,
        )

    def _count(self, numbers: list[int]) -> None:
        last = self._last_sequence
        for number in numbers:
            step = 1 if last is None else (number - last) % SEQUENCE_MODULUS
            if 0 < step < SEQUENCE_MODULUS // 2:
                self.lost += step - 1
                self._late_run = 0
                last = number
                continue
            self.out_of_order += 1
            self._late_run += 1
            # A late frame was counted as lost when a later one came, so it does not change the number of lost frames.
            if number == 0 or self._late_run > LATE_MAX_RUN:
                self._late_run = 0
                last = number
        self.frames += len(numbers)
        self._last_sequence = last


def _append_frame(out: bytearray, body: bytes) -> None:
    out += cobs.encode(body + crc_hqx(body, _CRC_START).to_bytes(2, "big"))
    out.append(0)


def _decode(encoded: bytes) -> bytes | None:
    """Return the 22 or 27 bytes of a frame, or ``None`` if ``encoded`` is not an intact frame."""
    size = _ENCODED_SIZES.get(len(encoded))
    if size is None:
        return None
    try:
        frame = cobs.decode(encoded)
    except cobs.DecodeError:
        return None
    if len(frame) != size or frame[0] != _TYPES[size] or crc_hqx(frame, _CRC_START):
        return None
    if frame[_TRIGGER_AT] > 1:  # not a valid sample: reading a log with it would fail
        return None
    return bytes(frame)


def _decode_end(chunk: bytes) -> bytes | None:
    """Return the frame at the end of ``chunk``, or ``None``."""
    return _decode(chunk[-ENCODED_BYTES:]) or _decode(chunk[-SCORED_ENCODED_BYTES:])


def _scores_of(frames: list[bytes]) -> npt.NDArray[np.void]:
    scores = np.zeros(len(frames), dtype=DEVICE_SCORE_DTYPE)
    for i, frame in enumerate(frames):
        if len(frame) == SCORED_FRAME_BYTES:
            scores[i] = np.frombuffer(frame, DEVICE_SCORE_DTYPE, count=1, offset=_SCORE_AT)[0]
    scores["probability"][(scores["flags"] & KNOWN_FLAG) == 0] = np.nan
    return scores
