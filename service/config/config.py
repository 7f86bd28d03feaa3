"""The configuration of the daemon: every key, declared once, with the text that help and documentation show."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from models.threshold import HIGHEST_THRESHOLD, LOWEST_THRESHOLD
from service.config.key import key, keys_of
from service.config.retraining import RetrainConfig
from stinger.errors import FileError, InputError
from stinger.files import read_bytes
from stinger.paths import data_dir as default_data_dir
from stinger.quantities import seconds, size_bytes
from stinger.shots import MIN_SHOT_GAP_MS

SOURCE_SCHEMES: Final = ("serial", "tcp", "replay", "mqtt", "mqtts")
BROKER_SCHEMES: Final = ("mqtt", "mqtts")

_MAX_SECRET_BYTES: Final = 4096
_NOT_IN_URL: Final = "a URL is shown in many places: put its password into broker.password_file"


def _source_problem(urls: tuple[str, ...]) -> str | None:
    for url in urls:
        scheme, colon, _ = url.partition(":")
        if not colon or scheme not in SOURCE_SCHEMES:
            return f"{without_password(url)!r:.100} is no source: expected a URL that begins with " + ", ".join(
                f"{known}:" for known in SOURCE_SCHEMES
            )
        if without_password(url) != url:
            return _NOT_IN_URL
    return None


def _broker_problem(url: str) -> str | None:
    if re.fullmatch(r"embedded(:\d{1,5})?", url):
        return None
    try:
        parts = urlsplit(url)
        fits = parts.scheme in BROKER_SCHEMES and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is none
        fits = False
    if not fits:
        return f"expected embedded, mqtt://HOST:PORT or mqtts://HOST:PORT, not {without_password(url)!r:.100}"
    return _NOT_IN_URL if without_password(url) != url else None


def _problem_with(parse: Callable[[str], float]) -> Callable[[str], str | None]:
    """What is wrong with a text that ``parse`` does not take."""

    def problem(text: str) -> str | None:
        try:
            parse(text)
        except InputError as error:
            return str(error)
        return None

    return problem


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """Where events go."""

    url: str = key(
        "embedded",
        "Broker for events: mqtt://HOST:PORT, mqtts://HOST:PORT with TLS, or embedded, one inside the daemon.",
        option="--broker",
        metavar="URL",
        check=_broker_problem,
    )
    user: str | None = key(None, "User name at the broker.")
    password: str | None = key(None, "Password at the broker. Only from the environment.", secret=True)
    password_file: Path | None = key(None, "File that holds the password at the broker.")
    ca_file: Path | None = key(None, "Certificates that the broker's is checked against.", default_text="the system's")
    cert_file: Path | None = key(None, "Certificate that the daemon shows to the broker.")
    key_file: Path | None = key(None, "Private key of cert_file.")
    home_assistant: bool = key(
        False, "Announce every device to Home Assistant.", option="--home-assistant/--no-home-assistant"
    )

    def password_text(self) -> str | None:
        """The password, from the environment or its file, whose last line end does not count.

        Raises :class:`FileError` for a file that cannot be read.
        """
        if self.password is not None or self.password_file is None:
            return self.password
        data = read_bytes(self.password_file)
        try:
            text = data[: _MAX_SECRET_BYTES + 1].decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError as error:
            raise FileError(self.password_file, "holds no text: expected a password") from error
        if not text or len(data) > _MAX_SECRET_BYTES:
            raise FileError(self.password_file, "holds no password" if not text else "is too long for a password")
        return text


@dataclass(frozen=True, slots=True)
class OutboxConfig:
    """Events that wait for the broker."""

    max_events: int = key(
        100_000, "Events kept on disk while there is no broker; then the oldest go.", low=100, high=10_000_000
    )


@dataclass(frozen=True, slots=True)
class RecorderConfig:
    """What is kept for training."""

    enabled: bool = key(True, "Record every sample, for training.", option="--record/--no-record")
    sync_interval_s: float = key(
        5.0, "Seconds between two flushes to the disk: what a power failure can cost.", low=0.1, high=3600
    )
    max_file_mb: int = key(64, "Megabytes after which another file is begun.", low=1, high=4000)
    keep_free_mb: int = key(16, "Megabytes on the disk that recording leaves to others.", low=0, high=1_000_000)
    keep: str | None = key(
        None,
        "Delete recordings that ended longer ago, such as 30d or 12h.",
        option="--keep",
        default_text="for ever",
        check=_problem_with(seconds),
    )
    keep_size: str | None = key(
        None,
        "Delete the oldest recordings while all of them take more, such as 10GB.",
        option="--keep-size",
        default_text="no limit",
        check=_problem_with(size_bytes),
    )
    keep_trained: bool = key(True, "Keep recordings that a model in the registry names, whatever their age.")


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """What is served over HTTP."""

    port: int | None = key(
        None,
        "Port of /metrics, /healthz and /readyz; 0 takes any free one.",
        low=0,
        high=65_535,
        option="--metrics-port",
        default_text="none: not served",
    )
    host: str = key(
        "127.0.0.1", "Address to serve them on; 0.0.0.0 is every one of this machine.", option="--metrics-host"
    )


@dataclass(frozen=True, slots=True)
class LogConfig:
    """What goes to stderr."""

    level: str = key("info", "How much to log.", choices=("debug", "info", "warning", "error"), option="--log-level")
    format: str = key("text", "How: key=value lines, or a JSON object a line.", choices=("text", "json"))


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that a user can set."""

    sources: tuple[str, ...] = key(
        (),
        "Where samples come from, a URL each: serial:, tcp:, replay: or mqtt:. May be repeated.",
        option="--source",
        metavar="URL",
        check=_source_problem,
    )
    data_dir: Path = key(
        default_data_dir,
        "Folder for recordings, models and events that wait.",
        option="--data-dir",
        default_text="the user's data folder",
    )
    model: str = key("champion", "Model: champion, factory, a version in the registry, or a file.", option="--model")
    threshold: float | None = key(
        None,
        "Level at which the wheels go on.",
        low=LOWEST_THRESHOLD,
        high=HIGHEST_THRESHOLD,
        option="--threshold",
        default_text="the model's",
    )
    min_shot_gap_ms: int = key(
        MIN_SHOT_GAP_MS, "A trigger edge sooner than this after a shot is a burst's.", low=0, high=60_000
    )
    scores: bool = key(False, "Publish every score.", option="--scores/--no-scores")
    stamps: bool = key(
        False,
        "Say in scores and events when their samples were read, scored and published. For test benches.",
        option="--stamps/--no-stamps",
    )
    broker: BrokerConfig = field(default_factory=BrokerConfig)
    outbox: OutboxConfig = field(default_factory=OutboxConfig)
    recorder: RecorderConfig = field(default_factory=RecorderConfig)
    metrics: MetricsConfig = field(default_factory=MetricsConfig)
    log: LogConfig = field(default_factory=LogConfig)
    retrain: RetrainConfig = field(default_factory=RetrainConfig)

    def __post_init__(self) -> None:
        broker = self.broker
        if (broker.cert_file is None) != (broker.key_file is None):
            raise InputError("broker.cert_file and broker.key_file belong together: set both or neither")
        if (broker.ca_file or broker.cert_file) and not broker.url.startswith("mqtts:"):
            raise InputError(f"broker.ca_file and broker.cert_file need TLS: expected mqtts://, not {broker.url}")

    def value(self, name: str) -> Any:
        """The value of the key of this dotted name."""
        found: Any = self
        for part in name.split("."):
            found = getattr(found, part)
        return found

    def to_toml(self) -> str:
        """As a configuration file: what is not set is a comment, and secrets are left out."""
        lines: list[str] = []
        table = ""
        for one in KEYS:
            if one.traits.secret:
                continue
            head, _, name = one.name.rpartition(".")
            if head != table:
                lines += ["", f"[{head}]"]
                table = head
            value = self.value(one.name)
            lines.append(f"# {name} =" if value is None else f"{name} = {_toml(value)}")
        return "\n".join(lines) + "\n"

    def changed_from(self, other: Config) -> list[str]:
        """The names of the keys that differ from ``other``."""
        return [one.name for one in KEYS if self.value(one.name) != other.value(one.name)]


KEYS: Final = tuple(keys_of(Config))
"""Every key, in the order of documentation."""


def without_password(url: str) -> str:
    """``url`` without the password that it may hold."""
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    who, at, host = authority.rpartition("@")
    user, colon, _ = who.partition(":")
    return f"{scheme}{separator}{user}{at}{host}{slash}{path}" if separator and at and colon else url


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    # A TOML basic string escapes as JSON does, and DEL besides.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
