"""Scenario files: parsed, or refused with one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil.bench.bench_faults import BENCH_FAULTS
from hil.bench.scenario import Scenario, find_scenario, parse_scenario, shipped_scenarios
from hil.emulated.faults import FAULTS
from hil.emulated.faults.parsing import COMMAND_FAULTS
from hil.limits import Limit
from hil.measuring.definitions import MEASUREMENTS
from stinger.errors import FileError, InputError


def parsed(text: str) -> Scenario:
    return parse_scenario(text.encode(), name="mine", place="mine.toml")


def test_every_fault_of_the_stream_has_a_shipped_scenario_of_its_own() -> None:
    alone = {
        scenario.faults[0].partition(":")[0] for scenario in shipped_scenarios().values() if len(scenario.faults) == 1
    }
    assert alone == (FAULTS.keys() - COMMAND_FAULTS) | BENCH_FAULTS.keys()


def test_shipped_scenarios_have_the_names_of_their_files_and_titles() -> None:
    for name, scenario in shipped_scenarios().items():
        assert scenario.name == name
        assert scenario.title
        assert find_scenario(name) == scenario


def test_limits_that_a_scenario_does_not_set_are_the_defaults() -> None:
    limits = parsed('title = "x"\n[limits]\nshots_lost = { at_most = 2, marginal = 1 }\nshots_sent = false').limits
    assert limits["shots_lost"] == Limit(at_most=2, marginal=1)
    assert limits["samples_lost"] == Limit(at_most=0)
    assert "shots_sent" not in limits


def test_scenario_for_any_device_has_no_limit_that_needs_a_journal() -> None:
    limits = parsed('title = "x"\nany_device = true').limits
    assert not any(MEASUREMENTS[name].journal for name in limits)
    assert "exit_code" in limits


def test_faults_of_the_device_and_of_the_bench_are_separated() -> None:
    scenario = parsed('title = "x"\nfaults = ["broker_stopped:start=4,for=1", "drop:start=1,for=1", "disk_full:for=1"]')
    assert list(scenario.device_faults()) == ["drop:start=1,for=1"]
    assert list(scenario.bench_faults()) == ["disk_full:for=1", "broker_stopped:start=4,for=1"]
    assert scenario.bench_fault_kinds() == {"disk_full", "broker_stopped"}


def test_scenario_file_is_found_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('title = "Mine"\nseconds = 5\nrecording = "s.bin"')
    found = find_scenario(str(path))
    assert (found.name, found.seconds, found.recording) == ("mine", 5, str(tmp_path / "s.bin"))


def test_shorter_duration_must_contain_the_faults() -> None:
    scenario = parsed('title = "x"\nfaults = ["unplug:start=2,for=2"]')
    assert scenario.with_duration(30).seconds == 30
    with pytest.raises(InputError, match=r"'unplug:start=2,for=2' needs 5\.5 s, but scenario 'mine' lasts 5 s"):
        scenario.with_duration(5)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "title is missing"),
        ("title = 3", "title: expected a string, not 3"),
        ("title", "not TOML"),
        ("title = \xff", "not TOML"),
        ('title = "x"\nfault = ["drop"]', "unknown key fault: expected title,"),
        ('title = "x"\ndevices = 0', "devices: expected 1 to 1000, not 0"),
        ('title = "x"\ndevices = true', "devices: expected an integer, not True"),
        ('title = "x"\nseconds = nan', "seconds: expected 1 to 31622400, not nan"),
        ('title = " "', "title is missing"),
        ('title = "x"\nseed = -1', "seed: expected 0 to 4294967295, not -1"),
        ('title = "x"\nlink = "usb"', "link: expected pty or tcp, not 'usb'"),
        ('title = "x"\nfaults = [1]', "faults: expected a list of strings, but it contains 1"),
        ('title = "x"\nfaults = ["flood"]', "no fault 'flood'"),
        ('title = "x"\nfaults = ["drop:rate=2"]', "rate is 2: expected 0 to 1"),
        ('title = "x"\nlimits = 3', "limits: expected a table"),
        ('title = "x"\n[limits]\nshot_lost = false', "no measurement 'shot_lost'"),
        ('title = "x"\n[limits]\nshots_lost = 3', "limits.shots_lost: expected a table with"),
        ('title = "x"\n[limits]\nshots_lost = { most = 3 }', "limits.shots_lost: expected a table with"),
        (
            'title = "x"\n[limits]\nshots_lost = { at_least = 3, at_most = 2 }',
            "limits.shots_lost: no value is at least 3 and at most 2",
        ),
        ('title = "x"\n[limits]\nshots_lost = { at_most = nan }', "limits.shots_lost: no value is at least"),
        ('title = "x"\n[limits]\nshots_lost = { at_most = 2, marginal = -1 }', "marginal is -1: expected at least 0"),
        ('title = "x"\n[limits]\nshots_lost = { at_most = "3" }', "limits.shots_lost: expected numbers"),
    ],
)
def test_mistake_is_reported_in_one_line_with_the_file(text: str, problem: str) -> None:
    with pytest.raises(FileError) as refused:
        parse_scenario(text.encode("latin-1"), name="mine", place="mine.toml")
    assert str(refused.value).startswith("mine.toml: ")
    assert problem in str(refused.value)
    assert "\n" not in str(refused.value)


def test_unknown_name_is_reported_with_a_hint() -> None:
    with pytest.raises(InputError, match="no scenario 'stedy': 'stinger hil list' shows all"):
        find_scenario("stedy")
