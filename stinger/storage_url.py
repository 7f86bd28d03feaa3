"""The URL of a folder in shared storage.

That is an object store such as S3, or a folder that several machines have mounted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from stinger.errors import InputError

EXPECTED: Final = "expected a URL such as s3://BUCKET/FOLDER, or file:///FOLDER for a mounted folder"

_URL: Final = re.compile(r"([a-z][a-z0-9+.-]*)://(.+)", re.DOTALL)
_MAX_CHARACTERS: Final = 1000


@dataclass(frozen=True, slots=True)
class StorageUrl:
    """The URL of a folder or file in shared storage, without a slash at its end. Made by :func:`parse_storage_url`."""

    text: str

    def __str__(self) -> str:
        return self.text

    @property
    def scheme(self) -> str:
        """Its scheme, such as ``s3``."""
        return self.text.partition("://")[0]

    @property
    def path(self) -> str:
        """What follows ``://``, such as ``bucket/folder``."""
        return self.text.partition("://")[2]

    @property
    def name(self) -> str:
        """Its last part."""
        return self.text.rpartition("/")[2]

    @property
    def parent(self) -> StorageUrl:
        """The folder that it is in."""
        return StorageUrl(self.text.rpartition("/")[0])

    def __truediv__(self, name: str) -> StorageUrl:
        """Return the URL of ``name``, a path with slashes, within this folder."""
        return StorageUrl(f"{self.text}/{name}")


def is_storage_url(text: str) -> bool:
    """Return whether ``text`` has the form of a URL, and not that of a path.

    >>> is_storage_url("s3://blasters/recordings"), is_storage_url("recordings/b1")
    (True, False)
    """
    return _URL.match(text) is not None


def parse_storage_url(text: str) -> StorageUrl:
    """Return the URL ``text``. Raises :class:`InputError`, which does not repeat what may be a password.

    >>> parse_storage_url("s3://blasters/hall/").text
    's3://blasters/hall'
    """
    match = _URL.fullmatch(text)
    if match is None or not text.isprintable() or len(text) > _MAX_CHARACTERS:
        raise InputError(EXPECTED)
    scheme, path = match[1], match[2].rstrip("/")
    if "@" in path.partition("/")[0]:
        raise InputError(
            "credentials do not belong in the URL of shared storage: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a "
            "profile"
        )
    parts = path.split("/")
    inner = parts[1:] if scheme == "file" else parts  # file:///FOLDER has an empty host
    if not path or not all(inner) or {".", ".."} & set(inner) or (scheme == "file" and parts[0]):
        raise InputError(EXPECTED)
    if "::" in path or "?" in path or "#" in path:
        raise InputError(f"{EXPECTED}, without '?', '#' and '::'")
    return StorageUrl(f"{scheme}://{path}")
