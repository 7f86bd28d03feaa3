from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.base.logs import RepeatedFailure, get_logger, set_up_logging


@pytest.fixture
def restored_root_logger() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("restored_root_logger")
def test_text_is_one_line_per_event() -> None:
    stream = io.StringIO()
    set_up_logging("info", "text", io.StringIO())
    set_up_logging("info", "text", stream)
    log = get_logger("a.b")
    log.info("samples_lost", count=1, reason="cable pulled")
    log.warning("link_lost", reason="from outside\nforged line")
    log.debug("unseen")
    first, second = stream.getvalue().splitlines()
    assert first.endswith('Z info a.b samples_lost count=1 reason="cable pulled"')
    assert second.endswith(r'Z warning a.b link_lost reason="from outside\nforged line"')


@pytest.mark.usefixtures("restored_root_logger")
def test_records_of_other_libraries_have_the_same_layout() -> None:
    text, fields = io.StringIO(), io.StringIO()
    for format_, stream in (("text", text), ("json", fields)):
        set_up_logging("info", format_, stream)
        logging.getLogger("a.b").info("it happened x=%d y=%r", 1, "z")
        logging.getLogger("a.b").warning("from outside\r\nforged line \x1b[2J\x85")
    first, second = text.getvalue().split("\n")[:-1]
    assert first.endswith("Z info a.b it happened x=1 y='z'")
    assert second.endswith(r"Z warning a.b from outside\r\nforged line \x1b[2J\x85")
    entry = json.loads(fields.getvalue().split("\n")[0])
    assert (entry["level"], entry["logger"], entry["event"]) == ("info", "a.b", "it happened x=1 y='z'")


@pytest.mark.usefixtures("restored_root_logger")
def test_json_has_the_event_and_each_value_as_fields() -> None:
    stream = io.StringIO()
    set_up_logging("debug", "json", stream)
    get_logger("a").info("link_lost", device="é", after_s=0.5, count=3, reason=OSError("no"), rate=float("nan"))
    entry = json.loads(stream.getvalue())
    assert entry.pop("time").endswith("Z")
    assert entry == {
        "level": "info",
        "logger": "a",
        "event": "link_lost",
        "device": "é",
        "after_s": 0.5,
        "count": 3,
        "reason": "no",
        "rate": "nan",
    }


@pytest.mark.usefixtures("restored_root_logger")
def test_json_keeps_a_value_whose_key_every_record_has() -> None:
    stream = io.StringIO()
    set_up_logging("debug", "json", stream)
    get_logger("a").info("level_changed", level="debug")
    entry = json.loads(stream.getvalue())
    assert (entry["level"], entry["level_"]) == ("info", "debug")


@pytest.mark.parametrize("format_", ["text", "json"])
@pytest.mark.usefixtures("restored_root_logger")
def test_exception_is_logged_with_its_traceback(format_: str) -> None:
    stream = io.StringIO()
    set_up_logging("debug", format_, stream)
    try:
        int("é")
    except ValueError:
        get_logger("a").exception("scoring_failed", device="b1")
    if format_ == "json":
        entry = json.loads(stream.getvalue())
        assert (entry["level"], entry["event"], entry["device"]) == ("error", "scoring_failed", "b1")
        assert "ValueError: invalid literal" in entry["traceback"]
    else:
        first, *_, last = stream.getvalue().splitlines()
        assert first.endswith("Z error a scoring_failed device=b1")
        assert last.startswith("ValueError: invalid literal")


def test_values_of_a_disabled_event_are_not_formatted(caplog: pytest.LogCaptureFixture) -> None:
    class Unprintable:
        def __str__(self) -> str:
            raise AssertionError

    caplog.set_level(logging.INFO)
    log = get_logger("a")
    log.debug("unseen", value=Unprintable())
    log.log(logging.DEBUG, "unseen", value=Unprintable())
    assert not caplog.records
    assert not log.is_enabled_for(logging.DEBUG)


def test_record_names_the_caller(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    log = get_logger("a")
    for method in (log.debug, log.info, log.warning, log.error, log.exception):
        method("link_lost")
    log.log(logging.INFO, "link_lost")
    assert {record.filename for record in caplog.records} == {Path(__file__).name}


def test_repeated_failure_is_a_warning_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    failure = RepeatedFailure(get_logger("link"), "link_lost")
    for reason in ("cable pulled", "cable pulled", "refused"):
        failure.log(reason, device="a")
    assert failure.reset() == 0
    failure.log("refused", device="a")
    assert [record.levelname for record in caplog.records] == ["WARNING", "DEBUG", "WARNING", "WARNING"]
    assert caplog.messages[0] == 'link_lost reason="cable pulled" device=a'


@pytest.mark.usefixtures("restored_root_logger")
def test_journal_gets_the_priority_of_every_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


@pytest.mark.usefixtures("restored_root_logger")
def test_other_streams_get_no_priorities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "1:2")
    with (tmp_path / "log").open("w") as stream:
        set_up_logging(stream=stream)
        logging.getLogger("x").warning("c")
        assert not (tmp_path / "log").read_text().startswith("<")
