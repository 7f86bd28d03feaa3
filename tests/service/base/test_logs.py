from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.base.logs import Repeated, set_up_logging


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


@pytest.mark.usefixtures("root_as_it_was")
def test_journal_is_told_the_level_of_every_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "journal").open("w+") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        set_up_logging("debug", stream=stream)
        logger = logging.getLogger("x")
        logger.debug("a")
        logger.info("b")
        logger.warning("c")
        logger.error("d", exc_info=ValueError("bad"))
        lines = (tmp_path / "journal").read_text().splitlines()
    assert [line[:3] for line in lines] == ["<7>", "<6>", "<4>", *["<3>"] * (len(lines) - 3)]
    assert lines[-1] == "<3>ValueError: bad"


@pytest.mark.usefixtures("root_as_it_was")
def test_what_does_not_go_to_the_journal_bears_no_level(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "1:2")
    with (tmp_path / "log").open("w") as stream:
        set_up_logging(stream=stream)
        logging.getLogger("x").warning("c")
        assert not (tmp_path / "log").read_text().startswith("<")
