"""The broker between daemon and bench: a mosquitto of the bench's own, the daemon's embedded one, or one that is there."""

from __future__ import annotations

import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from hil.bench.processes import ChildProcess
from stinger.errors import InputError

LOOPBACK: Final = "127.0.0.1"
OWN: Final = "mosquitto"
EMBEDDED: Final = "embedded"
EXTERNAL: Final = "given"

_PATIENCE_S: Final = 5.0
_SBIN: Final = "/usr/sbin/mosquitto"
_CONFIG: Final = """\
per_listener_settings false
allow_anonymous true
set_tcp_nodelay true
max_queued_messages 0
persistence true
persistence_location {folder}/
log_dest stderr
log_timestamp_format %H:%M:%S
listener {port} 127.0.0.1
"""


@dataclass(frozen=True, slots=True)
class BrokerSpec:
    """Which broker a run uses: ``kind`` is OWN, EMBEDDED, or EXTERNAL with an address."""

    kind: str
    host: str = LOOPBACK
    port: int = 0

    @property
    def restartable(self) -> bool:
        """Whether the bench can stop it and start it again."""
        return self.kind == OWN


def parse_broker(text: str | None) -> BrokerSpec:
    """What a user named; unless told otherwise a mosquitto where there is one. Raises :class:`InputError`."""
    if text is None:
        return BrokerSpec(OWN if mosquitto() else EMBEDDED)
    if text == OWN:
        if mosquitto() is None:
            raise InputError("--broker mosquitto: it is not installed; --broker embedded needs nothing else")
        return BrokerSpec(OWN)
    if text == EMBEDDED:
        return BrokerSpec(EMBEDDED)
    try:
        parts = urlsplit(text)
        fits = parts.scheme == "mqtt" and parts.hostname and not parts.username and parts.path in ("", "/")
        host, port = parts.hostname or "", parts.port or 1883
    except ValueError:
        fits, host, port = False, "", 0
    if not fits:
        raise InputError(f"--broker {text}: expected mosquitto, embedded or mqtt://HOST:PORT")
    return BrokerSpec(EXTERNAL, host, port)


def check_broker_listens(choice: BrokerSpec) -> None:
    """Raise :class:`InputError` if one that is said to be there does not listen."""
    if choice.kind != EXTERNAL:
        return
    try:
        socket.create_connection((choice.host, choice.port), timeout=_PATIENCE_S).close()
    except OSError as error:
        why = error.strerror or str(error)
        raise InputError(f"--broker mqtt://{choice.host}:{choice.port}: {why}: is a broker running there?") from error


def mosquitto() -> str | None:
    """Where mosquitto is; Debian keeps it where not everybody looks."""
    return shutil.which("mosquitto") or (_SBIN if Path(_SBIN).exists() else None)


def mosquitto_process(folder: Path, port: int) -> ChildProcess:
    """A mosquitto on ``port`` of the loopback that keeps its clients' sessions in ``folder`` while it is stopped."""
    program = mosquitto()
    assert program is not None
    folder.mkdir(exist_ok=True)
    config = folder / "mosquitto.conf"
    user = "user root\n" if _is_root() else ""
    config.write_text(user + _CONFIG.format(folder=folder, port=port), encoding="utf-8")
    return ChildProcess("mosquitto", [program, "-c", str(config)], folder / "mosquitto.log")


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def _is_root() -> bool:
    import os  # noqa: PLC0415 - geteuid is not everywhere

    return hasattr(os, "geteuid") and os.geteuid() == 0
