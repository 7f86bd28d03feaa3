"""The server of metrics is started again, whatever ended it."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import Callable

import pytest

from service.daemon.metrics_server import MetricsServer
from service.ops.http import HttpServer
from stinger.errors import InputError
from tests.helpers.patience import PATIENCE_S


def serve() -> HttpServer:
    return HttpServer(port=0, metrics=lambda: b"", unready_reason=lambda: "")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.005)


async def test_server_that_cannot_start_is_tried_until_it_can_and_reported_once() -> None:
    attempts = 0
    problems: list[str] = []

    def start() -> HttpServer:
        nonlocal attempts
        attempts += 1
        if attempts < 4:
            raise InputError("port in use")
        return serve()

    server = MetricsServer(start, problems.append)
    assert (server.url, problems) == (None, ["port in use"])
    task = asyncio.create_task(server.supervise(every_s=0.01))
    await until(lambda: server.url is not None)
    task.cancel()
    assert problems == ["port in use", ""]
    server.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_server_whose_thread_has_ended_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    problems: list[str] = []
    servers: list[HttpServer] = []

    def start() -> HttpServer:
        servers.append(serve())
        return servers[-1]

    server = MetricsServer(start, problems.append)
    task = asyncio.create_task(server.supervise(every_s=0.01))
    monkeypatch.setattr(servers[0]._server, "service_actions", lambda: 1 / 0)  # called in each turn of its thread
    await until(lambda: len(servers) == 2 and problems[-1:] == [""])
    task.cancel()
    assert "thread" in problems[0]
    assert await asyncio.to_thread(_status, f"{server.url}/healthz") == 200
    server.close()


async def test_without_a_port_there_is_no_server_and_no_problem() -> None:
    problems: list[str] = []
    server = MetricsServer(None, problems.append)
    await server.supervise()
    assert (server.url, problems) == (None, [])
    server.close()


def _status(address: str) -> int:
    with urllib.request.urlopen(address, timeout=PATIENCE_S) as answer:
        status: int = answer.status
        return status
