"""The broker's files on a real mosquitto: logins, and permissions to publish and subscribe."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from tests.deploy.composed import demo_environment, interpolated, services
from tests.deploy.places import DEPLOY, program
from tests.helpers.brokers import free_port
from tests.helpers.cli import STINGER
from tests.helpers.daemons import daemon
from tests.helpers.patience import PATIENCE_S

PEOPLE: Final = ("stinger", "page", "viewer", "operator", "homeassistant")


def accounts(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command of the service ``accounts``, with its files in ``folder``."""
    program("mosquitto_passwd", "Debian's mosquitto")
    environ = {**os.environ, "ACCOUNTS": str(folder), "ACL": str(DEPLOY / "mosquitto" / "acl")}
    command = ["sh", str(DEPLOY / "mosquitto" / "accounts.sh"), *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=PATIENCE_S)


def done(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@dataclass
class Broker:
    """A running mosquitto with the project's configuration, its paths and ports adapted."""

    folder: Path
    port: int
    websocket_port: int
    process: subprocess.Popen[bytes]

    def password(self, user: str) -> str:
        return done(accounts(self.folder / "accounts", "show", user))


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    folder = tmp_path_factory.mktemp("broker")
    done(accounts(folder / "accounts", "init"))
    done(accounts(folder / "accounts", "add", "b1"))
    port, websocket_port = free_port(), free_port()
    text = (DEPLOY / "mosquitto" / "mosquitto.conf").read_text(encoding="utf-8")
    for theirs, ours in (
        ("/accounts/", f"{folder}/accounts/"),
        ("/mosquitto/data/", f"{folder}/"),
        ("listener 1883", f"listener {port} 127.0.0.1"),
        ("listener 9001", f"listener {websocket_port} 127.0.0.1"),
    ):
        assert theirs in text
        text = text.replace(theirs, ours)
    (folder / "mosquitto.conf").write_text(f"user root\n{text}")
    log = folder / "log"
    with log.open("wb") as output:
        command = [program("mosquitto", "Debian's mosquitto"), "-c", str(folder / "mosquitto.conf")]
        process = subprocess.Popen(command, stdout=output, stderr=output)
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
    yield Broker(folder, port, websocket_port, process)
    process.terminate()
    process.wait(PATIENCE_S)


@dataclass
class Login:
    """A client that has requested a connection."""

    client: Client
    responded: threading.Event = field(default_factory=threading.Event)
    reason: ReasonCode | None = None
    received: list[str] = field(default_factory=list)

    def wait(self) -> str:
        assert self.responded.wait(PATIENCE_S)
        self.responded.clear()
        return str(self.reason)

    def publish(self, topic: str) -> str:
        """Publish to ``topic``; return the broker's reason code."""
        self.client.publish(topic, b"{}", qos=1)
        return self.wait()

    def subscribe(self, *filters: str) -> None:
        self.client.subscribe([(name, 1) for name in filters])
        self.wait()


@contextmanager
def login(
    broker: Broker, user: str | None, password: str | None = None, *, transport: Literal["tcp", "websockets"] = "tcp"
) -> Iterator[tuple[Login, str]]:
    """Connect as ``user``; yield the connection and the broker's reason code."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5, transport=transport)
    connection = Login(client)

    def respond(reason: ReasonCode) -> None:
        connection.reason = reason
        connection.responded.set()

    def received(_client: Client, _data: Any, message: MQTTMessage) -> None:
        connection.received.append(message.topic)

    client.on_connect = lambda _client, _data, _flags, reason, _properties: respond(reason)
    client.on_publish = lambda _client, _data, _id, reason, _properties: respond(reason)
    client.on_subscribe = lambda _client, _data, _id, reasons, _properties: respond(reasons[0])
    client.on_message = received
    if user is not None:
        client.username_pw_set(user, broker.password(user) if password is None else password)
    client.connect("127.0.0.1", broker.websocket_port if transport == "websockets" else broker.port)
    client.loop_start()
    try:
        yield connection, connection.wait()
    finally:
        client.disconnect()
        client.loop_stop()


@pytest.mark.parametrize(("user", "password"), [(None, None), ("viewer", "wrong"), ("viewer", ""), ("nobody", "wrong")])
def test_login_without_the_right_password_is_refused(broker: Broker, user: str | None, password: str | None) -> None:
    with login(broker, user, password) as (_, reason):
        assert reason == "Not authorized"


@pytest.mark.parametrize("user", [*PEOPLE, "b1"])
def test_every_account_can_log_in_with_its_password(broker: Broker, user: str) -> None:
    with login(broker, user) as (_, reason):
        assert reason == "Success"


def test_websockets_are_accepted(broker: Broker) -> None:
    with login(broker, "viewer", transport="websockets") as (viewer, reason):
        assert reason == "Success"
        viewer.subscribe("stinger/#")
        with login(broker, "stinger") as (daemon_account, _):
            daemon_account.publish("stinger/b1/shot")
        deadline = time.monotonic() + PATIENCE_S
        while not viewer.received:
            assert time.monotonic() < deadline
            time.sleep(0.01)


MAY_PUBLISH: Final = {
    "stinger": {"stinger/b1/shot", "stinger/daemon/status", "homeassistant/device/stinger_b1/config"},
    "viewer": set[str](),
    "operator": {"stinger/b1/command/note", "stinger/daemon/command/choose_model"},
    "page": {"stinger/b1/command/note", "stinger/daemon/command/choose_model"},
    "homeassistant": {"stinger/b1/command/note", "stinger/daemon/command/choose_model", "homeassistant/status"},
    "b1": {"stinger/b1/samples"},
}
TOPICS: Final = sorted(set().union(*MAY_PUBLISH.values()) | {"stinger/b2/samples", "other/topic"})


@pytest.mark.parametrize("user", MAY_PUBLISH)
def test_each_account_may_publish_only_to_its_topics(broker: Broker, user: str) -> None:
    allowed = set()
    with login(broker, user) as (sender, _):
        for topic in TOPICS:
            reason = sender.publish(topic)
            assert reason in {"Success", "No matching subscribers", "Not authorized"}
            if reason != "Not authorized":
                allowed.add(topic)
    everything = {"stinger/b1/command/note", "stinger/daemon/command/choose_model", "stinger/b1/samples"}
    expected = MAY_PUBLISH[user] | ({*everything, "stinger/b2/samples"} if user == "stinger" else set())
    assert allowed == expected


MAY_READ: Final = {
    "stinger": {
        "stinger/b1/shot",
        "stinger/b1/command/note",
        "homeassistant/status",
        "homeassistant/device/x/config",  # to find the announcements of devices that are to be forgotten
    },
    "viewer": {"stinger/b1/shot", "stinger/b1/command/note"},
    "operator": {"stinger/b1/shot", "stinger/b1/command/note"},
    "page": {"stinger/b1/shot", "stinger/b1/command/note"},
    "homeassistant": {
        "stinger/b1/shot",
        "stinger/b1/command/note",
        "homeassistant/status",
        "homeassistant/device/x/config",
    },
    "b1": set[str](),
}


@pytest.mark.parametrize("user", MAY_READ)
def test_each_account_receives_only_what_it_may_read(broker: Broker, user: str) -> None:
    with login(broker, user) as (reader, _):
        reader.subscribe("#")
        with login(broker, "stinger") as (sender, _):
            for topic in ("stinger/b1/shot", "homeassistant/device/x/config"):
                sender.publish(topic)
        with login(broker, "homeassistant") as (sender, _):
            for topic in ("stinger/b1/command/note", "homeassistant/status"):
                sender.publish(topic)
        # Acknowledged after all messages due before it, as they share the connection.
        reader.subscribe("nothing")
        assert set(reader.received) == MAY_READ[user]


def test_daemon_logs_in_with_its_password_file(broker: Broker, tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    password_file = broker.folder / "accounts" / "broker" / "stinger"
    config.write_text(
        f'[broker]\nurl = "mqtt://127.0.0.1:{broker.port}"\nuser = "stinger"\npassword_file = "{password_file}"\n'
    )
    with login(broker, "viewer") as (viewer, _):
        viewer.subscribe("stinger/daemon/status")
        with daemon(tmp_path, "--config", str(config)):
            deadline = time.monotonic() + PATIENCE_S
            while "stinger/daemon/status" not in viewer.received:
                assert time.monotonic() < deadline
                time.sleep(0.02)


def test_demo_of_the_compose_file_works_with_its_settings(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blaster_port = free_port()
    here = {
        "broker:1883": f"127.0.0.1:{broker.port}",
        "blaster:7000": f"127.0.0.1:{blaster_port}",
        "0.0.0.0:7000": f"127.0.0.1:{blaster_port}",
        "/accounts": f"{broker.folder}/accounts",
    }

    def adapted(text: str) -> str:
        for theirs, ours in here.items():
            text = text.replace(theirs, ours)
        return text

    for name, value in services()["daemon"]["environment"].items():
        monkeypatch.setenv(name, adapted(interpolated(value, demo_environment())))
    command = [*STINGER, *map(adapted, services()["blaster"]["command"])]
    with login(broker, "viewer") as (viewer, _), daemon(tmp_path):
        viewer.subscribe("stinger/demo/telemetry")
        blaster = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + PATIENCE_S
            while not viewer.received:
                assert time.monotonic() < deadline
                time.sleep(0.02)
        finally:
            blaster.terminate()
            blaster.wait(PATIENCE_S)


def test_accounts_are_created_once_and_kept(tmp_path: Path) -> None:
    done(accounts(tmp_path, "init"))
    before = {name: done(accounts(tmp_path, "show", name)) for name in (*PEOPLE, "grafana")}
    assert len(set(before.values())) == len(before)
    assert min(map(len, before.values())) == 24
    done(accounts(tmp_path, "init"))
    assert {name: done(accounts(tmp_path, "show", name)) for name in before} == before
    assert done(accounts(tmp_path, "list")).split() == sorted(PEOPLE)


def test_broker_reads_hashes_instead_of_passwords(tmp_path: Path) -> None:
    done(accounts(tmp_path, "init"))
    lines = (tmp_path / "passwd").read_text().splitlines()
    assert [line.partition(":")[0] for line in lines] == sorted(PEOPLE)
    assert all(line.partition(":")[2].startswith("$7$") for line in lines)


def test_secrets_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    done(accounts(tmp_path, "init"))
    files = [tmp_path / "passwd", tmp_path / "grafana", *(tmp_path / "broker").iterdir()]
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o400"}
    if os.geteuid() == 0:
        owners = {path.name: path.stat().st_uid for path in files}
        assert owners == {
            "passwd": 1883,
            "grafana": 472,
            "stinger": 10001,
            "page": 10001,
            "viewer": 0,
            "operator": 0,
            "homeassistant": 0,
        }


def test_account_is_added_and_removed(tmp_path: Path) -> None:
    done(accounts(tmp_path, "init"))
    assert len(done(accounts(tmp_path, "add", "hall-7"))) == 24
    assert "hall-7:" in (tmp_path / "passwd").read_text()
    done(accounts(tmp_path, "remove", "hall-7"))
    assert "hall-7:" not in (tmp_path / "passwd").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["add", "../x"], "'../x' is not a valid name"),
        (["add", "a:b"], "'a:b' is not a valid name"),
        (["add"], "'' is not a valid name"),
        (["add", "viewer"], "account 'viewer' exists already"),
        (["remove", "viewer"], "'viewer' is part of the access list"),
        (["remove", "b9"], "no account 'b9'"),
        (["show", "b9"], "no account 'b9'"),
    ],
)
def test_invalid_command_changes_nothing_and_is_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    done(accounts(tmp_path, "init"))
    before = (tmp_path / "passwd").read_bytes()
    result = accounts(tmp_path, *arguments)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert message in result.stderr
    assert (tmp_path / "passwd").read_bytes() == before
