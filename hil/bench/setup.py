"""What all scenarios of a run share, and which of them apply then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hil.bench.broker import EMBEDDED, GIVEN, BrokerChoice
from hil.bench.dut import DutChoice
from hil.bench.ground import SmallDisk
from hil.bench.scenario import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSetup:
    """What all scenarios of a run share."""

    dut: DutChoice
    broker: BrokerChoice
    recording: str | None = None
    """What is played instead of each scenario's own."""
    daemon_command: Sequence[str] | None = None
    """The daemon under test, which takes the options of ``stinger run``; ``None`` is ``stinger run``."""

    @property
    def shared(self) -> bool:
        """Whether broker or device are there once for all scenarios, which then cannot run beside each other."""
        return self.broker.kind == GIVEN or not self.dut.emulated


def why_not(scenario: Scenario, setup: RunSetup) -> str | None:
    """Why a scenario does not apply here; ``None`` if it does."""
    kinds = scenario.disturbance_kinds()
    if not setup.dut.emulated and not scenario.any_device:
        return f"it needs a device that tells what it sent, and {setup.dut} does not"
    if any(kind.startswith("broker_") for kind in kinds) and not setup.broker.can_stop:
        return "it stops the broker or stands in its way, which needs mosquitto installed, or --broker mosquitto"
    if "daemon_killed" in kinds and setup.broker.kind == EMBEDDED:
        return "the embedded broker would be killed with the daemon: it needs mosquitto"
    if "half_open" in kinds and scenario.link != "tcp":
        return "only a TCP connection can be half open"
    return SmallDisk.why_not() if "disk_full" in kinds else None
