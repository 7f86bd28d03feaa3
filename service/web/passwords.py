"""The page's password: a file with its Argon2id hash, and a limit on how often it may be tried."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from stinger.errors import FileError, InputError
from stinger.files import StrPath, read_bytes, write_bytes

MIN_CHARACTERS: Final = 8
MAX_CHARACTERS: Final = 1_000
"""A longer password is refused, so that hashing it takes no more time than that of others."""
ATTEMPTS: Final = 5
"""So many wrong passwords an address may try within :data:`WITHIN_S`."""
WITHIN_S: Final = 60.0
_MAX_ADDRESSES: Final = 10_000
_MAX_FILE_BYTES: Final = 10_000
_HASHER: Final = PasswordHasher()


class Password:
    """A password of which only the hash is known. Raises :class:`InputError` if ``hashed`` is no Argon2id hash."""

    def __init__(self, hashed: str) -> None:
        try:
            _HASHER.check_needs_rehash(hashed)
        except InvalidHashError as error:
            raise InputError("is not the hash of a password") from error
        self._hashed = hashed

    def matches(self, text: str) -> bool:
        """Return whether ``text`` is the password. Takes about 50 ms of a core, on purpose."""
        if len(text) > MAX_CHARACTERS:
            return False
        try:
            return _HASHER.verify(self._hashed, text)
        except VerificationError:
            return False


def read_password_hash(path: Path) -> Password:
    """Return the password whose hash is in the file ``path``. Raises :class:`FileError` for any other content."""
    text = read_bytes(path, at_most=_MAX_FILE_BYTES).decode("utf-8-sig", errors="replace").strip()
    try:
        return Password(text)
    except InputError as error:
        raise FileError(path, f"{error}: make one with 'stinger web --new-password --password-file FILE'") from None


def write_password_hash(path: StrPath, text: str) -> None:
    """Write the hash of the password ``text`` to ``path``, readable by its owner only.

    Raises :class:`InputError` for a password that is too short or too long.
    """
    if not MIN_CHARACTERS <= len(text) <= MAX_CHARACTERS:
        raise InputError(f"a password has {MIN_CHARACTERS} to {MAX_CHARACTERS:,} characters")
    write_bytes(path, f"{_HASHER.hash(text)}\n".encode(), secret=True)


class AttemptLimit:
    """Counts wrong passwords by the address that they came from, within the last ``within_s`` seconds."""

    def __init__(
        self, attempts: int = ATTEMPTS, within_s: float = WITHIN_S, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._attempts = attempts
        self._within_s = within_s
        self._now_s = now_s
        self._failures: dict[str, deque[float]] = {}

    def wait_s(self, address: str) -> float:
        """Return for how long ``address`` may not try a password; 0 if it may."""
        failures = self._failures.get(address)
        if failures is None or len(failures) < self._attempts:
            return 0.0
        return max(0.0, failures[0] + self._within_s - self._now_s())

    def count(self, address: str) -> None:
        """Count an attempt of ``address``: before its password is checked, so that attempts at the same time count."""
        if address not in self._failures and len(self._failures) >= _MAX_ADDRESSES:
            del self._failures[next(iter(self._failures))]
        self._failures.setdefault(address, deque(maxlen=self._attempts)).append(self._now_s())

    def forget(self, address: str) -> None:
        """Forget the attempts of ``address``, which gave the right password."""
        self._failures.pop(address, None)
