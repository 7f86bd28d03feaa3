r"""The host's side of the command protocol: each class is one command to the blaster and its answer.

The caller sends ``start()``, passes received bytes to ``receive()``, sends what that returns, and stops when ``done``;
then ``result`` is the answer. When ``advance`` has not changed for ``timeout_s``, the caller calls ``silence()``.

>>> exchange = CountSamples()
>>> exchange.start()
b'MLINFO\n'
>>> exchange.receive(b"[ml] samples_written=1200 (~12.0s)\r\n")
b''
>>> exchange.done, exchange.result
(True, 1200)
"""

from __future__ import annotations

import re
import zlib
from abc import ABC, abstractmethod
from collections import deque
from typing import Final, Generic, TypeVar

from stinger.errors import DeviceError, InputError, ProtocolError
from stinger.wire import commands
from stinger.wire.commands import ModelSlot, ModelStatus
from stinger.wire.lines import take_line

LOG_MAX_BYTES: Final = 16 * 2**20
"""No blaster has more flash than this. A larger announced size is damage, and must not decide how long the host waits."""
OTHER_LINES_KEPT: Final = 50

_STATUS_KEYS: Final = ("model_source", "user_model_present", "user_has_lr", "user_has_mlp", "cached_age_ms")

T_co = TypeVar("T_co", covariant=True)


class Exchange(ABC, Generic[T_co]):
    """One command and its answer.

    ``other_lines`` holds the last fifty received lines that are not part of the answer.
    """

    timeout_s: float = 5.0

    def __init__(self, question: str) -> None:
        self.question = question
        self.other_lines: deque[str] = deque(maxlen=OTHER_LINES_KEPT)
        self._buffer = bytearray()
        self._result: T_co | None = None

    @property
    def done(self) -> bool:
        """Whether the answer is complete."""
        return self._result is not None

    @property
    def advance(self) -> int:
        """A number that grows with every received part of the answer, and with nothing else."""
        return int(self.done)

    @property
    def result(self) -> T_co:
        """The answer; may only be read when ``done``."""
        assert self._result is not None, "the answer is not complete"
        return self._result

    def start(self) -> bytes:
        """Return the bytes to send first."""
        return f"{self.question}\n".encode("ascii")

    @abstractmethod
    def receive(self, data: bytes) -> bytes:
        """Process received bytes and return what to send next, mostly nothing.

        Raises :class:`DeviceError` when the blaster refuses, :class:`ProtocolError` when its answer is invalid.
        """

    def silence(self) -> None:
        """End the exchange because no part of the answer arrived for ``timeout_s``.

        Raises :class:`ProtocolError`, unless the lines received so far are a sufficient answer.
        """
        raise ProtocolError(f"no answer to {self.question.split()[0]} within {self.timeout_s:g} s")

    def _keep_line(self, line: str) -> None:
        if line.strip():
            self.other_lines.append(line)


class DumpLog(Exchange[bytes]):
    """``MLDUMP``: fetch the log as the bytes of a ``.bin`` file.

    Memory grows with what is received, not with what is announced.
    """

    def __init__(self) -> None:
        super().__init__(commands.DUMP)
        self.expected_bytes: int | None = None
        """The size that the blaster announced; ``None`` until then."""
        self._log = bytearray()
        self._trailer = deque(("", commands.DUMP_DONE))

    @property
    def received_bytes(self) -> int:
        """Number of bytes of the log received so far."""
        return len(self._log)

    @property
    def advance(self) -> int:
        """See :attr:`Exchange.advance`."""
        return self.received_bytes + (self.expected_bytes is not None) + self.done

    def receive(self, data: bytes) -> bytes:
        """See :meth:`Exchange.receive`; always returns nothing to send."""
        self._buffer += data
        while self.expected_bytes is None and (line := take_line(self._buffer)) is not None:
            self._read_header(line)
        if self.expected_bytes is None:
            return b""
        missing = self.expected_bytes - len(self._log)
        self._log += self._buffer[:missing]
        del self._buffer[:missing]
        if len(self._log) == self.expected_bytes:
            self._read_trailer()
        return b""

    def silence(self) -> None:
        """See :meth:`Exchange.silence`; the error names the number of bytes received."""
        if self.expected_bytes is None:
            super().silence()
        raise ProtocolError(f"the log broke off after {self.received_bytes:,} of {self.expected_bytes:,} bytes")

    def _read_header(self, line: str) -> None:
        text = line.removeprefix(commands.LINE_PREFIX)
        if text.startswith(commands.DUMP_ERROR):
            raise _refusal(text.removeprefix(commands.DUMP_ERROR).strip(), commands.LOG_REFUSALS)
        header = re.fullmatch(rf"{commands.DUMP_HEADER}([0-9]{{1,20}})", line)
        if header is None:
            self._keep_line(line)
            return
        size = int(header[1])
        if size > LOG_MAX_BYTES:
            raise ProtocolError(
                f"the blaster announced a log of {size:,} bytes, more than the {LOG_MAX_BYTES:,} possible"
            )
        self.expected_bytes = size

    def _read_trailer(self) -> None:
        while self._trailer and (line := take_line(self._buffer)) is not None:
            if line.startswith(commands.LINE_PREFIX):
                self._keep_line(line)
            elif line != self._trailer.popleft():
                raise ProtocolError("the log is not followed by its end mark: bytes were lost or added on the way")
        if not self._trailer:
            self._result = bytes(self._log)


class _LineExchange(Exchange[T_co]):
    """An exchange whose answer is text lines."""

    def receive(self, data: bytes) -> bytes:
        """See :meth:`Exchange.receive`."""
        self._buffer += data
        reply = b""
        while not self.done and (line := take_line(self._buffer)) is not None:
            text = line.removeprefix(commands.LINE_PREFIX)
            if text.startswith(commands.MODEL_ERROR):
                raise _refusal(text.removeprefix(commands.MODEL_ERROR).strip(), commands.MODEL_REFUSALS)
            reply += self._answer_line(text)
        return reply

    @abstractmethod
    def _answer_line(self, text: str) -> bytes:
        """Process a line, without its prefix; return what to send next."""


class CountSamples(_LineExchange[int]):
    """``MLINFO``: ask for the number of samples in the blaster's log."""

    def __init__(self) -> None:
        super().__init__(commands.LOG_INFO)

    def _answer_line(self, text: str) -> bytes:
        count = re.match(rf"{commands.SAMPLES_WRITTEN}([0-9]{{1,20}})\b", text)
        if count is None:
            self._keep_line(text)
        else:
            self._result = int(count[1])
        return b""


class UploadModel(_LineExchange[bool]):
    """``MLMODEL_PUT``: store the bytes of an MLMD file in a slot.

    The blaster replaces the old file once all bytes have arrived.
    """

    timeout_s = commands.UPLOAD_TIMEOUT_S + 2.0  # the blaster times out first, and sends the reason

    def __init__(self, slot: ModelSlot, data: bytes) -> None:
        if not 1 <= len(data) <= commands.UPLOAD_MAX_BYTES:
            raise InputError(f"a model of {len(data):,} bytes: expected 1 to {commands.UPLOAD_MAX_BYTES:,}")
        super().__init__(f"{commands.MODEL_PUT}{slot.value} {len(data)} {zlib.crc32(data):08x}")
        self._data = data
        self._sent = False

    @property
    def advance(self) -> int:
        """See :attr:`Exchange.advance`."""
        return self._sent + self.done

    def _answer_line(self, text: str) -> bytes:
        if text == commands.MODEL_READY and not self._sent:
            self._sent = True
            return self._data
        if text == commands.MODEL_OK and self._sent:
            self._result = True
        else:
            self._keep_line(text)
        return b""


class _Confirmed(_LineExchange[bool]):
    """An exchange whose answer is one word."""

    confirmation: str

    def _answer_line(self, text: str) -> bytes:
        self._result = True if text == self.confirmation else None
        if not self.done:
            self._keep_line(text)
        return b""


class LoadModel(_Confirmed):
    """``MLMODEL_LOAD``: make the blaster validate the model in a slot and use it from now on."""

    confirmation = commands.MODEL_LOADED

    def __init__(self, slot: ModelSlot) -> None:
        super().__init__(f"{commands.MODEL_LOAD}{slot.value}")


class DeleteModels(_Confirmed):
    """``MLMODEL_DELETE``: make the blaster delete every uploaded model and use its factory models again."""

    confirmation = commands.MODEL_DELETED

    def __init__(self) -> None:
        super().__init__(commands.MODEL_DELETE)


class ReadModelStatus(_LineExchange[ModelStatus]):
    """``MLMODEL_INFO``: ask which models are in use.

    From firmware that prints no fingerprints, silence ends the answer.
    """

    timeout_s = 1.0

    def __init__(self) -> None:
        super().__init__(commands.MODEL_INFO)
        self._values: dict[str, str] = {}

    @property
    def advance(self) -> int:
        """See :attr:`Exchange.advance`."""
        return len(self._values) + self.done

    def silence(self) -> None:
        """See :meth:`Exchange.silence`; the answer is sufficient if only the fingerprints are missing."""
        if not all(key in self._values for key in _STATUS_KEYS):
            super().silence()
        self._result = self._status()

    def _answer_line(self, text: str) -> bytes:
        key, equals, value = text.partition("=")
        if not equals or (key not in _STATUS_KEYS and key not in commands.FINGERPRINT_KEYS):
            self._keep_line(text)
            return b""
        self._values[key] = value.strip()
        if key == commands.FINGERPRINT_KEYS[-1]:
            self._result = self._status()
        return b""

    def _status(self) -> ModelStatus:
        values = self._values
        try:
            return ModelStatus(
                source=values["model_source"],
                user_model_present=values["user_model_present"] == "1",
                user_has_lr=values["user_has_lr"] == "1",
                user_has_mlp=values["user_has_mlp"] == "1",
                cached_age_ms=int(values["cached_age_ms"]),
                fingerprints={key: values[key] for key in commands.FINGERPRINT_KEYS if key in values},
            )
        except (KeyError, ValueError) as error:
            raise ProtocolError(f"the answer to {self.question} is incomplete or damaged ({error})") from error


def _refusal(reason: str, meanings: dict[str, str]) -> DeviceError:
    return DeviceError(reason, meanings.get(reason, f"the blaster refused: {reason or 'no reason given'}"))
