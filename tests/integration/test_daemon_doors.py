"""A real daemon whose HTTP server is occupied by slow clients."""

from __future__ import annotations

import socket
import urllib.request
from contextlib import suppress
from pathlib import Path

from tests.helpers.daemons import daemon
from tests.helpers.patience import PATIENCE_S


def test_clients_that_send_a_byte_now_and_then_do_not_make_the_daemon_look_unready(tmp_path: Path) -> None:
    arguments = ("--broker", "embedded:0", "--model", "factory", "--metrics-port", "0")
    with daemon(tmp_path, *arguments) as process:
        address = process.wait_for(r"metrics: (http://127\.0\.0\.1:(\d+))/metrics")
        clients = [socket.create_connection(("127.0.0.1", int(address[2]))) for _ in range(32)]
        for _ in range(10):
            for number, client in enumerate(clients):
                try:
                    client.send(b"G")
                except OSError:  # disconnected
                    client.close()
                    clients[number] = socket.create_connection(("127.0.0.1", int(address[2])))
            for path in ("readyz", "metrics"):
                with urllib.request.urlopen(f"{address[1]}/{path}", timeout=PATIENCE_S) as answer:
                    assert answer.status == 200
        for client in clients:
            with suppress(OSError):
                client.close()
