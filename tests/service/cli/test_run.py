"""``stinger run`` with a configuration that is wrong: one line, and exit code 2. Running daemons are in tests/integration."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.cli import invoke


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "carrier-pigeon:1"], "unknown kind of source"),
        (["--source", "tcp://host"], "port"),
        (["--broker", "http://host"], "expected embedded, mqtt://"),
        (["--broker", "mqtt://user:secret@host"], "password"),
        (["--threshold", "3"], "threshold"),
        (["--config", "none.toml"], "none.toml: No such file"),
    ],
)
def test_mistake_in_the_configuration_is_one_line_and_exit_code_2(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    result = invoke("run", "--data-dir", tmp_path, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "secret" not in result.stderr
    assert [line for line in result.stderr.splitlines() if line.startswith("Error: ")] == result.stderr.splitlines()[
        -1:
    ]
