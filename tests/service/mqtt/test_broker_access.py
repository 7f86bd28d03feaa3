"""Brokers with access control: passwords, a private CA, client certificates, access rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from service.config.broker_address import BrokerAddress
from service.mqtt.broker_link import BrokerLink
from service.mqtt.messages import event_message
from service.mqtt.outbox import Outbox
from tests.helpers.broker_addresses import address_of
from tests.helpers.brokers import Mosquitto, until
from tests.helpers.events import shot
from tests.service.mqtt.conftest import running


async def test_a_password_from_a_file_is_accepted_and_a_wrong_one_is_logged_as_refused_but_never_shown(
    tmp_path: Path, passwords: Path, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    broker = Mosquitto(tmp_path / "guarded", f"allow_anonymous false\npassword_file {passwords}")
    broker.start()
    secret = tmp_path / "secret"
    url = f"mqtt://anna@127.0.0.1:{broker.port}"
    try:
        secret.write_text("guess\n")
        refused = BrokerLink(address_of(url, password_file=secret), outbox, version="1")
        async with running(refused):
            await until(lambda: "refused by the broker: Not authorized (0x87)" in caplog.text)
            assert not refused.connected
        secret.write_text("sesame\n")
        welcome = BrokerLink(address_of(url, password_file=secret), outbox, version="1")
        async with running(welcome):
            await until(lambda: welcome.connected)
        assert "sesame" not in caplog.text
        assert "guess" not in caplog.text
    finally:
        broker.kill()


async def test_a_broker_that_forbids_publishing_is_logged_as_a_warning(
    tmp_path: Path, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    rules = tmp_path / "rules"
    rules.write_text("topic readwrite stinger/daemon/#\ntopic read stinger/+/command/+\n")
    broker = Mosquitto(tmp_path / "strict", f"allow_anonymous true\nacl_file {rules}")
    broker.start()
    try:
        link = BrokerLink(BrokerAddress("127.0.0.1", broker.port), outbox, version="1")
        async with running(link):
            link.publisher.put(event_message(shot()))
            await until(lambda: 'topic=stinger/b1/shot reason="Not authorized (0x87)"' in caplog.text)
            assert link.depth == 0
    finally:
        broker.kill()


async def test_tls_with_a_private_ca_and_a_client_certificate(
    tls_mosquitto: Mosquitto, certificates: Path, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    ca_file = certificates / "ca.crt"
    client: dict[str, Any] = {"cert_file": certificates / "client.crt", "key_file": certificates / "client.key"}
    url = f"mqtts://127.0.0.1:{tls_mosquitto.port}"
    link = BrokerLink(address_of(url, ca_file=ca_file, **client), outbox, version="1")
    async with running(link):
        link.publisher.put(event_message(shot()))
        await until(lambda: link.connected and link.depth == 0)
    unknown = BrokerLink(address_of(url, **client), outbox, version="1")
    async with running(unknown):
        await until(lambda: "certificate verify failed" in caplog.text)
    unasked = BrokerLink(address_of(url, ca_file=ca_file), outbox, version="1")
    caplog.clear()
    async with running(unasked):
        await until(lambda: "broker_not_connected" in caplog.text)
        assert not unasked.connected
