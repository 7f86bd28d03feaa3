"""What is fuzzed: a decoder, with valid inputs to start from and the errors that it may raise."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from stinger.errors import StingerError


@dataclass(frozen=True, slots=True)
class Decoder:
    """A decoder. ``decode`` may raise ``refusals``; anything else that it raises is a fault."""

    name: str
    seeds: tuple[bytes, ...]
    """Valid inputs, which are changed at random."""
    decode: Callable[[bytes], object]
    share: float
    """Its part of all inputs, relative to the others: small where an input takes long."""
    tokens: tuple[bytes, ...] = ()
    """Pieces that are inserted: words and numbers that the decoder treats specially."""
    max_bytes: int = 2048
    refusals: tuple[type[Exception], ...] = (StingerError,)

    def __post_init__(self) -> None:
        """Raise ``ValueError`` for valid inputs that would be cut off: all that is made from them would be refused."""
        longest = max(map(len, self.seeds))
        if longest > self.max_bytes:
            raise ValueError(f"{self.name}: a valid input has {longest} bytes, and only {self.max_bytes} are used")


NUMBERS = tuple(
    text.encode()
    for text in [
        "0",
        "-0",
        "1",
        "-1",
        "255",
        "256",
        "32767",
        "32768",
        "65535",
        "65536",
        "4294967295",
        "4294967296",
        "9223372036854775808",
        "1e308",
        "1e999",
        "-1e999",
        "NaN",
        "Infinity",
        "0.1",
        "1e-320",
        "0x10",
        "1_000",
        "٣",
        "99999999999999999999999999",
        "9" * 400,
    ]
)
JSON_TOKENS = (
    *NUMBERS,
    *(b"{", b"}", b"[", b"]", b'"', b":", b",", b"null", b"true", b"false", b'""', b"[]", b"{}", b"[" * 500),
    *(b'"text"', b"[null]", b"[{}]", b'{"text": 1}', b'"0.5"'),
    *(b'"\\ud83d"', b'"\\u0000"', b'"\\u001b[2J"', b"\xff", b"\xed\xa0\x80", b'"id":', b'{"a":{"a":{"a":'),
)


_WORD = re.compile(rb'"[^"\n]*"|[A-Za-z0-9_.+-]+')


class Mutator:
    """Makes inputs for a decoder from its seeds: mostly a few changes to a valid input, some entirely random bytes."""

    def __init__(self, decoder: Decoder, random: Random) -> None:
        self._decoder = decoder
        self._random = random

    def next(self) -> bytes:
        """Return the next input."""
        random, decoder = self._random, self._decoder
        if random.random() < 0.03:
            return random.randbytes(random.randrange(64))
        data = bytearray(random.choice(decoder.seeds))
        for _ in range(1 + int(random.expovariate(0.7))):
            self._change(data)
        return bytes(data[: decoder.max_bytes])

    def _change(self, data: bytearray) -> None:
        random, decoder = self._random, self._decoder
        at = random.randrange(len(data) + 1)
        end = min(len(data), at + 1 + int(random.expovariate(0.1)))
        kind = random.randrange(12)
        if kind < 3 and at < len(data):
            data[at] ^= 1 << random.randrange(8)
        elif kind == 3 and at < len(data):
            data[at] = random.randrange(256)
        elif kind == 4:
            del data[at:end]
        elif kind == 5:
            data[at:at] = data[at:end] * random.choice((1, 1, 2, 40))
        elif kind == 6:
            data[at:at] = random.randbytes(1 + random.randrange(8))
        elif kind == 7:
            other = random.choice(decoder.seeds)
            data[at:] = other[random.randrange(len(other) + 1) :]
        elif kind == 8:
            data[at:end] = random.choice((b"\0", b"\xff")) * (end - at)
        elif decoder.tokens:
            self._insert_token(data, at)

    def _insert_token(self, data: bytearray, at: int) -> None:
        """Insert a token at ``at``, or put it in place of a whole word, number or quoted text after it."""
        token = self._random.choice(self._decoder.tokens)
        word = _WORD.search(data, at) if self._random.random() < 0.7 else None
        begin, end = (at, at) if word is None else word.span()
        del word  # while it exists, the bytes cannot be resized
        data[begin:end] = token
