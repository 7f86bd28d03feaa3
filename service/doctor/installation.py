"""Checks of the program itself: versions and the packages of its extras."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Final

from packaging.requirements import Requirement

from service.doctor.finding import Finding, Verdict
from stinger.packages import install_command

DISTRIBUTION: Final = "stinger-ml"
EXTRAS: Final = {
    "train": "training, evaluation and plots",
    "web": "the page",
    "broker": "the daemon's own MQTT broker",
    "hil": "the test bench",
    "nats": "blasters shared by several daemons",
    "storage": "recordings and models in shared storage",
    "dask": "training on several machines",
}
"""What each extra of ``all`` is for. Missing others are not worth a note: they are large, and few need them."""


def check_program() -> Finding:
    """Return the versions of program, Python and operating system."""
    return Finding(
        Verdict.GOOD,
        "program",
        f"{DISTRIBUTION} {version(DISTRIBUTION)}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.release()} on {platform.machine()}",
    )


def check_packages(requirements: Iterable[str] | None = None) -> list[Finding]:
    """Return what is installed of the core and of each extra.

    ``requirements`` are those in the metadata of the distribution by default. A package of the core that is missing or
    too old is a problem, one of an extra a note.
    """
    parsed = [Requirement(text) for text in (requires(DISTRIBUTION) or ()) if requirements is None]
    parsed += [Requirement(text) for text in requirements or ()]
    core = [_lacking(one) for one in parsed if one.marker is None or one.marker.evaluate({"extra": ""})]
    findings = []
    if lacking := [text for text in core if text]:
        findings.append(Finding(Verdict.PROBLEM, "packages", "; ".join(lacking), install_command()))
    complete = []
    for extra, purpose in EXTRAS.items():
        added = [one for one in parsed if one.marker is not None and _only_with(extra, one)]
        if not added:
            continue
        if lacking := [text for text in map(_lacking, added) if text]:
            found = f"{extra} ({purpose}): {'; '.join(lacking)}"
            findings.append(Finding(Verdict.NOTE, "extra", found, install_command(extra)))
        else:
            complete.append(extra)
    if complete:
        findings.insert(0, Finding(Verdict.GOOD, "extras", ", ".join(complete)))
    return findings


def _only_with(extra: str, requirement: Requirement) -> bool:
    assert requirement.marker is not None
    return requirement.marker.evaluate({"extra": extra}) and not requirement.marker.evaluate({"extra": ""})


def _lacking(requirement: Requirement) -> str:
    """Return what is wrong with the installed version of a required package; an empty text if nothing is."""
    try:
        installed = version(requirement.name)
    except PackageNotFoundError:
        return f"{requirement.name} is not installed"
    if requirement.specifier.contains(installed, prereleases=True):
        return ""
    return f"{requirement.name} is {installed}, {requirement.specifier} is needed"
