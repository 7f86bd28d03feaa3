"""Brokers that let in only whom they know: passwords, a CA of one's own, client certificates."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from service.broker_link import BrokerLink
from service.broker_url import BrokerAddress, parse_broker
from service.messages import event_message
from service.outbox import Outbox
from tests.helpers.brokers import Mosquitto, until
from tests.helpers.happenings import shot
from tests.service.mqtt.conftest import running


@pytest.fixture
def passwords(tmp_path: Path) -> Path:
    """A password file of mosquitto's that knows ``anna``, whose password is ``sesame``."""
    program = shutil.which("mosquitto_passwd")
    if program is None:
        pytest.skip("mosquitto_passwd is not installed")
    path = tmp_path / "passwords"
    subprocess.run([program, "-b", "-c", str(path), "anna", "sesame"], check=True, timeout=10)
    return path


async def test_user_and_password_from_a_file_let_in_and_a_wrong_one_is_told_but_never_shown(
    tmp_path: Path, passwords: Path, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    broker = Mosquitto(tmp_path / "guarded", f"allow_anonymous false\npassword_file {passwords}")
    broker.start()
    secret = tmp_path / "secret"
    url = f"mqtt://anna@127.0.0.1:{broker.port}"
    try:
        secret.write_text("guess\n")
        refused = BrokerLink(parse_broker(url, password_file=secret), outbox, version="1")
        async with running(refused):
            await until(lambda: "Not authorized" in caplog.text)
            assert not refused.connected
        secret.write_text("sesame\n")
        welcome = BrokerLink(parse_broker(url, password_file=secret), outbox, version="1")
        async with running(welcome):
            await until(lambda: welcome.connected)
        assert "sesame" not in caplog.text
        assert "guess" not in caplog.text
    finally:
        broker.kill()


async def test_a_broker_that_forbids_to_publish_is_warned_of(
    tmp_path: Path, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    rules = tmp_path / "rules"
    rules.write_text("topic readwrite stinger/daemon/#\ntopic read stinger/+/command/+\n")
    broker = Mosquitto(tmp_path / "strict", f"allow_anonymous true\nacl_file {rules}")
    broker.start()
    try:
        link = BrokerLink(BrokerAddress("127.0.0.1", broker.port), outbox, version="1")
        async with running(link):
            link.send(event_message(shot()))
            await until(lambda: "broker refuses messages reason=Not authorized" in caplog.text)
            assert link.depth == 0
    finally:
        broker.kill()


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """A folder with a CA of our own and what it signed: ``broker`` for 127.0.0.1, and ``client``."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path / "certificates"
    folder.mkdir()

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=20)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=test CA")
    for name, extension in (("broker", "subjectAltName=IP:127.0.0.1"), ("client", "extendedKeyUsage=clientAuth")):
        (folder / f"{name}.ext").write_text(extension)
        openssl("req", *key[:-2], "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"),
            *("-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.crt"),
        )
    return folder


async def test_tls_with_a_ca_of_ones_own_and_a_client_certificate(
    tmp_path: Path, certificates: Path, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    paths = {name: certificates / name for name in ("ca.crt", "broker.crt", "broker.key")}
    settings = f"cafile {paths['ca.crt']}\ncertfile {paths['broker.crt']}\nkeyfile {paths['broker.key']}"
    broker = Mosquitto(tmp_path / "tls", f"{settings}\nrequire_certificate true\nuse_identity_as_username true")
    broker.start()
    client: dict[str, Any] = {"cert_file": certificates / "client.crt", "key_file": certificates / "client.key"}
    url = f"mqtts://127.0.0.1:{broker.port}"
    try:
        link = BrokerLink(parse_broker(url, ca_file=paths["ca.crt"], **client), outbox, version="1")
        async with running(link):
            link.send(event_message(shot()))
            await until(lambda: link.connected and link.depth == 0)
        unknown = BrokerLink(parse_broker(url, **client), outbox, version="1")
        async with running(unknown):
            await until(lambda: "certificate verify failed" in caplog.text)
        unasked = BrokerLink(parse_broker(url, ca_file=paths["ca.crt"]), outbox, version="1")
        caplog.clear()
        async with running(unasked):
            await until(lambda: "broker not connected" in caplog.text)
            assert not unasked.connected
    finally:
        broker.kill()
