"""The broker between daemon and bench: a mosquitto of the bench, the daemon's embedded one, or an external one."""

from __future__ import annotations

import os
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from hil.bench.processes import ChildProcess
from stinger.errors import InputError
from stinger.wording import without_user

LOOPBACK: Final = "127.0.0.1"
MOSQUITTO: Final = "mosquitto"
EMBEDDED: Final = "embedded"
EXTERNAL: Final = "external"
BROKER_READY: Final = r"mosquitto version \S+ running"
"""What mosquitto prints once it accepts connections, as a regular expression."""

_CONNECT_TIMEOUT_S: Final = 5.0
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
    """The broker of a run: ``kind`` is MOSQUITTO, EMBEDDED, or EXTERNAL with an address."""

    kind: str
    host: str = LOOPBACK
    port: int = 0

    @property
    def restartable(self) -> bool:
        """Whether the bench can stop it and start it again."""
        return self.kind == MOSQUITTO


def parse_broker(text: str | None) -> BrokerSpec:
    """Return the broker that a user named; by default mosquitto if installed, else embedded.

    Raises :class:`InputError`.
    """
    if text is None:
        return BrokerSpec(MOSQUITTO if find_mosquitto() else EMBEDDED)
    if text == MOSQUITTO:
        if find_mosquitto() is None:
            raise InputError("--broker mosquitto: it is not installed; --broker embedded needs nothing else")
        return BrokerSpec(MOSQUITTO)
    if text == EMBEDDED:
        return BrokerSpec(EMBEDDED)
    try:
        parts = urlsplit(text)
        valid = parts.scheme == "mqtt" and parts.hostname and not parts.username and parts.path in ("", "/")
        host, port = parts.hostname or "", parts.port or 1883
    except ValueError:
        valid, host, port = False, "", 0
    if not valid:
        raise InputError(f"--broker {without_user(text)}: expected mosquitto, embedded or mqtt://HOST:PORT")
    return BrokerSpec(EXTERNAL, host, port)


def check_broker_listens(broker: BrokerSpec) -> None:
    """Raise :class:`InputError` if an external broker does not accept connections."""
    if broker.kind != EXTERNAL:
        return
    try:
        socket.create_connection((broker.host, broker.port), timeout=_CONNECT_TIMEOUT_S).close()
    except OSError as error:
        why = error.strerror or str(error)
        raise InputError(f"--broker mqtt://{broker.host}:{broker.port}: {why}: is a broker running there?") from error


def find_mosquitto() -> str | None:
    """Return the path of mosquitto, ``None`` if not installed. Debian has it in a folder that is not on every PATH."""
    return shutil.which("mosquitto") or (_SBIN if Path(_SBIN).exists() else None)


def mosquitto_process(folder: Path, port: int) -> ChildProcess:
    """Return a mosquitto for ``port`` of the loopback that keeps its clients' sessions in ``folder`` while stopped."""
    program = find_mosquitto()
    assert program is not None
    folder.mkdir(exist_ok=True)
    config = folder / "mosquitto.conf"
    user = "user root\n" if hasattr(os, "geteuid") and os.geteuid() == 0 else ""
    config.write_text(user + _CONFIG.format(folder=folder, port=port), encoding="utf-8")
    return ChildProcess("mosquitto", [program, "-c", str(config)], folder / "mosquitto.log")


def free_port() -> int:
    """Return a TCP port of the loopback that is free at the moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port
