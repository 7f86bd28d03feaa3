from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from service.logs import Repeated, set_up_logging


@pytest.fixture
def root_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("root_as_it_was")
def test_text_is_one_line_an_event() -> None:
    stream = io.StringIO()
    set_up_logging("info", "text", io.StringIO())
    set_up_logging("info", "text", stream)
    logging.getLogger("a.b").info("it_happened x=%d y=%r", 1, "z")
    logging.getLogger("a.b").warning("from outside\nforged line")
    logging.getLogger("a.b").debug("unseen")
    first, second = stream.getvalue().splitlines()
    assert first.endswith("Z info a.b it_happened x=1 y='z'")
    assert second.endswith(r"Z warning a.b from outside\nforged line")


@pytest.mark.usefixtures("root_as_it_was")
def test_json_is_one_object_an_event() -> None:
    stream = io.StringIO()
    set_up_logging("debug", "json", stream)
    try:
        int("é")
    except ValueError:
        logging.getLogger("a").exception("failed x=%d", 1)
    entry = json.loads(stream.getvalue())
    assert (entry["level"], entry["logger"], entry["message"]) == ("error", "a", "failed x=1")
    assert "ValueError: invalid literal" in entry["traceback"]


def test_repeated_failure_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    failure = Repeated(logging.getLogger("link"), "link_lost")
    for reason in ("cable pulled", "cable pulled", "refused"):
        failure.log(reason, device="a")
    assert failure.over() == 0
    failure.log("refused", device="a")
    assert [record.levelname for record in caplog.records] == ["WARNING", "DEBUG", "WARNING", "WARNING"]
    assert caplog.messages[0] == 'link_lost reason="cable pulled" device=a'
