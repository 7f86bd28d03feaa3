"""What all scenarios of a run share, and which of them apply then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hil.bench.broker import EMBEDDED, EXTERNAL, BrokerSpec
from hil.bench.device_under_test import DeviceSpec
from hil.bench.scenario import Scenario
from hil.bench.testbed import SmallDisk


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What all scenarios of a run share."""

    dut: DeviceSpec
    broker: BrokerSpec
    recording: str | None = None
    """What is played instead of each scenario's own."""
    daemon_command: Sequence[str] | None = None
    """The daemon under test, which takes the options of ``stinger run``; ``None`` is ``stinger run``."""

    @property
    def shared(self) -> bool:
        """Whether broker or device are there once for all scenarios, which then cannot run beside each other."""
        return self.broker.kind == EXTERNAL or not self.dut.emulated


def skip_reason(scenario: Scenario, setup: RunOptions) -> str | None:
    """Why a scenario does not apply here; ``None`` if it does."""
    kinds = scenario.bench_fault_kinds()
    if not setup.dut.emulated and not scenario.any_device:
        return f"it needs a device that tells what it sent, and {setup.dut} does not"
    if any(kind.startswith("broker_") for kind in kinds) and not setup.broker.restartable:
        return "it stops the broker or stands in its way, which needs mosquitto installed, or --broker mosquitto"
    if "daemon_killed" in kinds and setup.broker.kind == EMBEDDED:
        return "the embedded broker would be killed with the daemon: it needs mosquitto"
    if "half_open" in kinds and scenario.link != "tcp":
        return "only a TCP connection can be half open"
    return SmallDisk.skip_reason() if "disk_full" in kinds else None
