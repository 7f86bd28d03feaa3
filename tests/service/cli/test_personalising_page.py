from __future__ import annotations

import click
import pytest

from service.cli.personalise import personalise_command
from service.cli.pull import pull
from service.cli.push import push
from service.round_trip.blaster_client import DEFAULT_TIMEOUTS
from service.round_trip.links import CONNECT_S, WRITE_S
from service.round_trip.personalising import MIN_SHOTS
from tests.helpers.places import ROOT

PAGE = (ROOT / "docs" / "personalising.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", [pull, push, personalise_command])
def test_page_names_every_option(command: click.Command) -> None:
    for parameter in command.params:
        assert any(f"{name}" in PAGE for name in parameter.opts), parameter.opts


def test_page_states_every_timeout() -> None:
    timeouts = DEFAULT_TIMEOUTS
    for row in (
        f"| a connection over TCP | {CONNECT_S:g} s |",
        f"| {timeouts.response_s:g} s of silence; then {timeouts.upload_abandoned_s:g} s for an upload",
        f"| the rest of an earlier response | {timeouts.drain_s:g} s |",
        f"| the next bytes of a log | {timeouts.log_s:g} s |",
        f"| the response to an upload | {timeouts.upload_s:g} s,",
        f"| the blaster to accept data | {WRITE_S:g} s",
        f"fewer than {MIN_SHOTS} accepted shots",
    ):
        assert row in PAGE, row
