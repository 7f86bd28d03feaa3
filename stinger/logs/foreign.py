"""Recognise files that are often given in place of a log, by their first bytes: compressed ones and UTF-16 text."""

from __future__ import annotations

from typing import Final

_COMPRESSED: Final = (
    (b"\x1f\x8b", "gzip", "gunzip"),
    (b"PK\x03\x04", "zip", "unzip"),
    (b"PK\x05\x06", "zip", "unzip"),
    (b"\xfd7zXZ\x00", "xz", "unxz"),
    (b"(\xb5/\xfd", "zstd", "unzstd"),
    (b"BZh", "bzip2", "bunzip2"),
    (b"7z\xbc\xaf'\x1c", "7z", "7z x"),
    (b"\x04\x22M\x18", "lz4", "unlz4"),
)
_UTF_32: Final = (b"\xff\xfe\0\0", b"\0\0\xfe\xff")
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
_HEAD_BYTES: Final = 32
_PRINTABLE: Final = frozenset(range(0x20, 0x7F))


def foreign_format(data: bytes) -> str | None:
    r"""Return the foreign format of ``data`` and what to do, as the end of an error message.

    ``None`` if it is none of these formats.

    >>> foreign_format(b"\x1f\x8b\x08")
    "is compressed (gzip): unpack it first, such as with 'gunzip'"
    """
    for magic, name, program in _COMPRESSED:
        if data.startswith(magic):
            return f"is compressed ({name}): unpack it first, such as with '{program}'"
    if data.startswith(_UTF_32):
        return _text("UTF-32")
    if data.startswith(_UTF_16) or _is_text_without_mark(data[:_HEAD_BYTES]):
        return _text("UTF-16")
    return None


def _text(encoding: str) -> str:
    return f"is {encoding} text: save it as UTF-8 first, such as with 'iconv -f {encoding} -t UTF-8'"


def _is_text_without_mark(head: bytes) -> bool:
    """Return whether every second byte is 0 and the others are printable ASCII, as in UTF-16 without a byte order mark."""
    if len(head) < _HEAD_BYTES:
        return False
    for zeros, characters in ((head[1::2], head[::2]), (head[::2], head[1::2])):
        if not any(zeros) and _PRINTABLE.issuperset(characters):
            return True
    return False
