"""The options that all scenarios of a run share, and which scenarios apply under them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hil.bench.broker import EMBEDDED, EXTERNAL, BrokerSpec
from hil.bench.device_under_test import QEMU, DeviceSpec
from hil.bench.scenario import Scenario
from hil.bench.small_disk import SmallDisk
from hil.qemu.device import check_faults
from stinger.errors import InputError

MAX_QEMU_DEVICES: Final = 4
"""A device in QEMU takes about a fifth of a core."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options that all scenarios of a run share."""

    dut: DeviceSpec
    broker: BrokerSpec
    recording: str | None = None
    """What emulated devices play, instead of each scenario's own recording."""
    daemon_command: Sequence[str] | None = None
    """The command that starts the daemon and takes the options of ``stinger run``; ``None`` is ``stinger run`` itself."""

    @property
    def shared(self) -> bool:
        """Whether all scenarios use the same broker or device, so that they cannot run at the same time."""
        return self.broker.kind == EXTERNAL or not self.dut.emulated


def skip_reason(scenario: Scenario, options: RunOptions) -> str | None:
    """Return why ``scenario`` does not apply under ``options``; ``None`` if it does."""
    kinds = scenario.bench_fault_kinds()
    if not options.dut.emulated and not scenario.any_device:
        return f"it needs a device that keeps a journal of what it sent, and {options.dut} does not"
    if options.dut.kind == QEMU and (impossible := _impossible_in_qemu(scenario)):
        return impossible
    if any(kind.startswith("broker_") for kind in kinds) and not options.broker.restartable:
        return "it controls the broker, which needs mosquitto installed, or --broker mosquitto"
    if "daemon_killed" in kinds and options.broker.kind == EMBEDDED:
        return "the embedded broker would be killed with the daemon: it needs mosquitto"
    if "half_open" in kinds and scenario.link != "tcp":
        return "only a TCP connection can be half open"
    return SmallDisk.skip_reason() if "disk_full" in kinds else None


def _impossible_in_qemu(scenario: Scenario) -> str | None:
    if scenario.devices > MAX_QEMU_DEVICES:
        return f"{scenario.devices} devices in QEMU would take more than this machine has: at most {MAX_QEMU_DEVICES}"
    try:
        check_faults(list(scenario.device_faults().values()))
    except InputError as error:
        return str(error)
    return None
