"""The configuration of the daemon: every key, declared once, with the text that help and documentation show."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from models.threshold import HIGHEST_THRESHOLD, LOWEST_THRESHOLD, Threshold, parse_threshold
from service.config.broker_address import (
    BrokerAddress,
    BrokerUrl,
    clean_password,
    parse_broker_url,
    read_password,
    tls_context,
)
from service.config.key import key, keys_of
from service.config.retraining import RetrainConfig
from service.config.source_url import KINDS, SourceUrl, parse_source_urls
from service.config.topic_root import TopicRoot, parse_topic_root
from stinger.errors import InputError
from stinger.paths import data_dir as default_data_dir
from stinger.quantities import Duration, Size, parse_duration, parse_size
from stinger.shots import MIN_SHOT_GAP_MS
from stinger.storage_url import StorageUrl, parse_storage_url


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """The broker that events are published to."""

    url: BrokerUrl = key(
        parse_broker_url("embedded"),
        "Broker for events: mqtt://HOST:PORT, mqtts://HOST:PORT with TLS, or embedded, a broker inside the daemon.",
        option="--broker",
        metavar="URL",
        parse=parse_broker_url,
    )
    user: str | None = key(None, "User name at the broker.")
    password: str | None = key(
        None, "Password at the broker. Read from the environment only.", secret=True, parse=clean_password
    )
    password_file: Path | None = key(None, "File whose first line is the password for the broker.")
    ca_file: Path | None = key(
        None, "Certificates that the broker's certificate is checked against.", default_text="the system's"
    )
    cert_file: Path | None = key(None, "Client certificate that the daemon shows to the broker.")
    key_file: Path | None = key(None, "Private key of cert_file.")
    open: bool = key(
        False,
        "Let every user of this machine use the embedded broker, without a password.",
        option="--broker-open/--no-broker-open",
    )
    topic_root: TopicRoot = key(
        TopicRoot(),
        "Beginning of all topics. Daemons that share a broker need different ones.",
        option="--topic-root",
        metavar="TOPIC",
        parse=parse_topic_root,
    )
    home_assistant: bool = key(
        False, "Announce every device to Home Assistant.", option="--home-assistant/--no-home-assistant"
    )

    def __post_init__(self) -> None:
        if (self.cert_file is None) != (self.key_file is None):
            raise InputError("broker.cert_file and broker.key_file belong together: set both or neither")
        if (self.ca_file or self.cert_file) and self.url.scheme != "mqtts":
            raise InputError(f"certificates need TLS: expected a broker at mqtts://, not {self.url}")
        if self.password_file is not None and self.url.scheme == "embedded":
            raise InputError(
                "the embedded broker makes its own password: use a separate broker, or set no password_file"
            )
        if self.open and self.url.scheme != "embedded":
            raise InputError(f"broker.open is for the embedded broker only, not for {self.url}")

    def address(self) -> BrokerAddress:
        """Return the broker and the credentials for it; reads the password file and the certificates.

        A user in the URL takes precedence over ``user``, ``password`` over ``password_file``. Raises
        :class:`~stinger.errors.FileError` for a file that cannot be used, :class:`InputError` for a password without a
        user.
        """
        if self.url.scheme == "embedded":
            return BrokerAddress(self.url.host, self.url.port, embedded=True)
        user, password = self.url.user or self.user, self.password
        if password is None and self.password_file is not None:
            password = read_password(self.password_file)
        if password is not None and user is None:
            raise InputError(
                "a password without a user: set broker.user, or put the user into the URL, as in mqtt://user@host"
            )
        tls = tls_context(self.ca_file, self.cert_file, self.key_file) if self.url.scheme == "mqtts" else None
        return BrokerAddress(self.url.host, self.url.port, user, password, tls)


@dataclass(frozen=True, slots=True)
class OutboxConfig:
    """Events that wait for the broker."""

    max_events: int = key(
        100_000,
        "Events kept on disk while the broker is away; above this number the oldest are dropped.",
        low=100,
        high=10_000_000,
    )


@dataclass(frozen=True, slots=True)
class RecorderConfig:
    """Recordings, kept for training."""

    enabled: bool = key(True, "Record every sample, for training.", option="--record/--no-record")
    sync_interval_s: float = key(
        5.0, "Seconds between two flushes to the disk: the most that a power failure can lose.", low=0.1, high=3600
    )
    max_file_mb: int = key(64, "Size in megabytes at which a new file is started.", low=1, high=4000)
    keep_free_mb: int = key(
        16, "Recording pauses while fewer megabytes than this are free on the disk.", low=0, high=1_000_000
    )
    keep: Duration | None = key(
        None,
        "Delete recordings that ended longer ago than this, such as 30d or 12h.",
        option="--keep",
        metavar="TIME",
        live=True,
        default_text="never",
        parse=parse_duration,
    )
    keep_size: Size | None = key(
        None,
        "Delete the oldest recordings while all together are larger than this, such as 10GB.",
        option="--keep-size",
        metavar="SIZE",
        live=True,
        default_text="never",
        parse=parse_size,
    )
    keep_trained: bool = key(True, "Keep recordings that a model in the registry names, at any age.", live=True)


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """The HTTP server for metrics and health."""

    port: int | None = key(
        None,
        "Port for metrics: /metrics, /healthz and /readyz; 0 takes any free port.",
        low=0,
        high=65_535,
        option="--metrics-port",
        default_text="not served",
    )
    host: str = key(
        "127.0.0.1", "Address to serve metrics at; 0.0.0.0 is every address of this machine.", option="--metrics-host"
    )


@dataclass(frozen=True, slots=True)
class LogConfig:
    """The log on stderr."""

    level: str = key(
        "info",
        "Lowest level that is logged: debug, info, warning or error.",
        choices=("debug", "info", "warning", "error"),
        option="--log-level",
        metavar="LEVEL",
        live=True,
    )
    format: str = key("text", "Log key=value lines, or one JSON object a line.", choices=("text", "json"), live=True)


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that a user can set."""

    sources: tuple[SourceUrl, ...] = key(
        (),
        f"URL of a source of samples, one of {KINDS}. May be repeated.",
        option="--source",
        metavar="URL",
        parse=parse_source_urls,
    )
    data_dir: Path = key(
        default_data_dir,
        "Folder for recordings, models and events that wait for the broker.",
        option="--data-dir",
        metavar="FOLDER",
        default_text="the user's data folder",
    )
    recordings: StorageUrl | None = key(
        None,
        "Shared storage for recordings, such as s3://BUCKET/FOLDER: the daemon uploads closed recordings, "
        "and training and lists read from there.",
        option="--recordings",
        metavar="URL",
        default_text="the data folder only",
        parse=parse_storage_url,
    )
    registry: StorageUrl | None = key(
        None,
        "Shared registry of models, such as s3://BUCKET/MODELS: the daemon follows the champion there.",
        option="--registry",
        metavar="URL",
        default_text="in the data folder",
        parse=parse_storage_url,
    )
    group_readable: bool = key(
        False,
        "Let the group read the data folder: modes 0750 and 0640 instead of 0700 and 0600.",
        option="--group-readable/--no-group-readable",
    )
    model: str = key(
        "champion", "Model: champion, factory, a version in the registry, or a file.", option="--model", metavar="MODEL"
    )
    threshold: Threshold | None = key(
        None,
        "Level at which the wheels go on; they go off at half of it.",
        low=LOWEST_THRESHOLD,
        high=HIGHEST_THRESHOLD,
        option="--threshold",
        default_text="the model's",
        live=True,
        parse=parse_threshold,
    )
    min_shot_gap_ms: int = key(
        MIN_SHOT_GAP_MS,
        "A trigger edge sooner than this after an accepted shot is part of a burst.",
        low=0,
        high=60_000,
    )
    max_devices: int = key(2000, "Devices accepted over MQTT; others are ignored, with an alarm.", low=1, high=100_000)
    scores: bool = key(False, "Publish every score.", option="--scores/--no-scores", live=True)
    stamps: bool = key(
        False,
        "Publish, with scores and events, when their samples were read, scored and published. For test benches.",
        option="--stamps/--no-stamps",
    )
    broker: BrokerConfig = field(default_factory=BrokerConfig)
    outbox: OutboxConfig = field(default_factory=OutboxConfig)
    recorder: RecorderConfig = field(default_factory=RecorderConfig)
    metrics: MetricsConfig = field(default_factory=MetricsConfig)
    log: LogConfig = field(default_factory=LogConfig)
    retrain: RetrainConfig = field(default_factory=RetrainConfig)

    def value(self, name: str) -> Any:
        """Return the value of the key with this dotted name."""
        found: Any = self
        for part in name.split("."):
            found = getattr(found, part)
        return found

    def to_toml(self) -> str:
        """Return the text of a configuration file: keys that are not set are comments, secrets are left out."""
        lines: list[str] = []
        table = ""
        for entry in KEYS:
            if entry.traits.secret:
                continue
            head, _, name = entry.name.rpartition(".")
            if head != table:
                lines += ["", f"[{head}]"]
                table = head
            value = self.value(entry.name)
            lines.append(f"# {name} =" if value is None else f"{name} = {toml_value(value)}")
        return "\n".join(lines) + "\n"

    def changed_from(self, other: Config) -> list[str]:
        """Return the names of the keys whose values differ from those of ``other``."""
        return [entry.name for entry in KEYS if self.value(entry.name) != other.value(entry.name)]


_LAST_OF_FOUR_DIGITS: Final = 0xFFFF
KEYS: Final = tuple(keys_of(Config))
"""Every key, in the order of the documentation."""


def toml_value(value: Any) -> str:
    """Return ``value``, of a key that is set, as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    # A TOML basic string has the escapes of JSON. What does not print, such as DEL, is escaped as well.
    quoted = json.dumps(str(value), ensure_ascii=False)
    return "".join(_toml_escape(character) if not character.isprintable() else character for character in quoted)


def _toml_escape(character: str) -> str:
    number = ord(character)
    return f"\\u{number:04x}" if number <= _LAST_OF_FOUR_DIGITS else f"\\U{number:08x}"
