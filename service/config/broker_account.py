"""The account of the embedded broker.

Made at the first start, kept in the data folder, and read by programs of the same user.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from service.config.broker_address import read_password
from stinger.errors import InputError
from stinger.files import StrPath, read_bytes, write_bytes

PASSWORD_FILE: Final = "broker-password"  # noqa: S105 - its name
"""Name of the file in the data folder: the password in its first line, and in the second the port that it is for."""
USER: Final = "stinger"
_PASSWORD_BYTES: Final = 18
_MAX_BYTES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Account:
    """User name and password of the embedded broker. ``repr`` does not show the password."""

    user: str
    password: str = field(repr=False)

    def matches(self, user: str | None, password: str | None) -> bool:
        """Return whether these are its user and password, in a time that does not depend on how much is right."""
        right_user = hmac.compare_digest((user or "").encode(errors="replace"), self.user.encode())
        return right_user & hmac.compare_digest((password or "").encode(errors="replace"), self.password.encode())


def prepare_account(data_dir: StrPath) -> Account:
    """Return the account in the data folder; without one, or with one that cannot be read, an account that is new."""
    try:
        return Account(USER, read_password(Path(data_dir) / PASSWORD_FILE))
    except InputError:
        return Account(USER, secrets.token_urlsafe(_PASSWORD_BYTES))


def save_account(data_dir: StrPath, account: Account, port: int) -> None:
    """Write the file that :func:`local_account` reads; only its owner can read it.

    Raises :class:`~stinger.errors.FileError`.
    """
    write_bytes(Path(data_dir) / PASSWORD_FILE, f"{account.password}\n{port}\n".encode(), secret=True)


def local_account(data_dir: StrPath, port: int) -> Account | None:
    """Return the account of the embedded broker at ``port``; ``None`` if the data folder has none for that port.

    The port must match, so that the password is sent to no other program that listens on this machine.
    """
    path = Path(data_dir) / PASSWORD_FILE
    try:
        lines = read_bytes(path, at_most=_MAX_BYTES).decode("ascii", "replace").splitlines()
        return Account(USER, read_password(path)) if lines[1:2] == [str(port)] else None
    except InputError:
        return None
