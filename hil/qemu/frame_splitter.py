"""Separates a device's frames from its answers, so that each frame can be sent, damaged or dropped on its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stinger.sample import SampleArray
from stinger.wire.commands import STREAM_DONE, STREAM_HEADER
from stinger.wire.frames import KNOWN_FLAG, SCORED_ENCODED_BYTES, SCORED_FRAME_TYPE, WHEELS_FLAG, FrameDecoder

_END: Final = b"\0"
_STARTED: Final = STREAM_HEADER.encode()
_STOPPED: Final = STREAM_DONE.encode()


@dataclass(frozen=True, slots=True, eq=False)
class ScoredFrame:
    """A frame as it came: ``data`` with its zero byte, and what is in it. ``sample`` is ``(1,)``."""

    data: bytes
    sequence: int
    sample: SampleArray
    probability: float
    """NaN while the device's window is not full."""
    wheels: bool


class FrameSplitter:
    """Splits the bytes of a device that sends frames with scores. Outside a stream all bytes are answers."""

    def __init__(self) -> None:
        self._buffer = b""
        self._streaming = False
        self._text = b""

    def feed(self, data: bytes) -> list[ScoredFrame | bytes]:
        """Process the next bytes, and return the frames and the bytes between them, in order."""
        self._buffer += data
        parts: list[ScoredFrame | bytes] = []
        while self._buffer:
            if not self._streaming:
                self._split_answers(parts)
            elif not self._split_frame(parts):
                break
        return parts

    def _split_answers(self, parts: list[ScoredFrame | bytes]) -> None:
        """Pass on answers up to the line that begins a stream, if it is there."""
        self._text += self._buffer
        begin = self._text.find(_STARTED)
        end = -1 if begin < 0 else self._text.find(b"\n", begin)
        if end < 0:
            parts.append(self._buffer)
            self._buffer, self._text = b"", self._text[-2 * len(_STARTED) :]
            return
        rest = self._text[end + 1 :]
        parts.append(self._buffer[: len(self._buffer) - len(rest)])
        self._buffer, self._text, self._streaming = rest, b"", True

    def _split_frame(self, parts: list[ScoredFrame | bytes]) -> bool:
        """Pass on the next frame with the answers before it; return whether anything was passed on."""
        end = self._buffer.find(_END)
        stopped = self._buffer.find(_STOPPED, 0, None if end < 0 else end)
        if stopped >= 0:
            self._streaming = False
            return True
        if end < 0:
            line = self._buffer.rfind(b"\n") + 1
            lines = self._buffer[:line]
            may_be_of_frame = not lines.isascii() or SCORED_FRAME_TYPE in lines
            if not lines or may_be_of_frame:
                return False
            parts.append(lines)
            self._buffer = self._buffer[line:]
            return bool(self._buffer)
        chunk, self._buffer = self._buffer[: end + 1], self._buffer[end + 1 :]
        answer, frame = chunk[: -SCORED_ENCODED_BYTES - 1], chunk[-SCORED_ENCODED_BYTES - 1 :]
        if answer:
            parts.append(answer)
        block = FrameDecoder().feed(frame)
        if block.samples.size and block.scores is not None:
            score = block.scores[0]
            parts.append(
                ScoredFrame(
                    data=frame,
                    sequence=block.sequence[0],
                    sample=block.samples,
                    probability=float(score["probability"]) if score["flags"] & KNOWN_FLAG else float("nan"),
                    wheels=bool(score["flags"] & WHEELS_FLAG),
                )
            )
        else:
            parts.append(frame)
        return True
