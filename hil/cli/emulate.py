"""``stinger emulate``."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

import click
import numpy as np

from hil.cli.fault_help import CommandWithFaultList
from hil.emulated.blaster import EmulatedBlaster
from hil.emulated.device import DeviceOptions, EmulatedDevice
from hil.emulated.factory import factory_models
from hil.emulated.faults import DeviceFaults, parse_fault
from hil.emulated.faults.fault import Fault
from hil.emulated.fleet import Device, run_fleet
from hil.emulated.journal_file import journal_paths
from hil.emulated.links import Firmware
from hil.emulated.playback import PlaybackBlock, play_recordings, play_synthetic
from hil.emulated.port import Port
from hil.emulated.pty_port import PtyPort
from hil.emulated.tcp_port import TcpPort
from hil.emulated.wakeup_timer import WakeupTimer
from hil.qemu.device import QemuDevice, check_faults
from hil.qemu.image import recording_block, settings_block
from models.cli.options import ThresholdType
from models.decision_parameters import DecisionParameters
from stinger.cli.options import ANY_FOLDER, ANY_PATH, MAX_SEED, FiniteRange, every_option, rate_option
from stinger.errors import InputError
from stinger.logs import Log, read_log
from stinger.sample import SAMPLE_RATE_HZ, SampleArray

_MAX_DEVICES: Final = 1000
_QEMU_BLOCKS: Final = 4
"""Blocks of a synthetic session that a device in QEMU repeats: 80 s."""
_MAX_TCP_PORT: Final = 65_535
_SWITCH_INTERVAL_S: Final = 0.0005
"""How long a thread that generates samples may delay the others; Python's default is 5 ms."""


@dataclass(frozen=True, slots=True)
class _Setup:
    """The options, parsed and checked."""

    log: Log | None
    logged: SampleArray | None
    faults: Sequence[Fault]
    ports: Sequence[Port]
    seed: int
    loop: bool
    serve_lr: bool
    usb_safe: bool
    decision: DecisionParameters
    options: DeviceOptions
    qemu: bool

    def make_devices(self, timer: WakeupTimer, generating: asyncio.Lock) -> list[Device]:
        """Return a device for each port, starting at different times within a sample's 10 ms."""
        if self.qemu:
            return [self._make_qemu_device(i, port, timer) for i, port in enumerate(self.ports)]
        return [self._make_device(i, port, timer, generating) for i, port in enumerate(self.ports)]

    def _make_qemu_device(self, number: int, port: Port, timer: WakeupTimer) -> Device:
        if self.log is None:
            blocks = islice(self._samples(number), _QEMU_BLOCKS)
            samples = np.concatenate([block.samples for block in blocks])
        else:
            samples = self.log.samples
        return QemuDevice(
            port,
            settings_block(*factory_models(), self.decision.on, repeat=self.loop or self.log is None),
            recording_block(samples),
            faults=DeviceFaults(self.faults, seed=f"{self.seed}/{number}"),
            timer=timer,
        )

    def _make_device(self, number: int, port: Port, timer: WakeupTimer, generating: asyncio.Lock) -> Device:
        phase_s = number / (len(self.ports) * SAMPLE_RATE_HZ * self.options.speed)
        return EmulatedDevice(
            port,
            self._samples(number),
            blaster=EmulatedBlaster(
                logged=self.logged, serve_lr=self.serve_lr, usb_safe=self.usb_safe, decision=self.decision
            ),
            faults=DeviceFaults(self.faults, seed=f"{self.seed}/{number}"),
            options=replace(self.options, phase_s=phase_s),
            timer=timer,
            generating=generating,
        )

    def _samples(self, number: int) -> Iterator[PlaybackBlock]:
        if self.log is None:
            return play_synthetic((self.seed + number) % (MAX_SEED + 1))
        return play_recordings(self.log.recordings, loop=self.loop)


@click.command(cls=CommandWithFaultList, short_help="Emulate a blaster on a pty or TCP port, with optional faults.")
@click.argument("recording", required=False, type=ANY_PATH)
@click.option("--pty", is_flag=True, help="Use a pseudo-terminal, and print its path.  [default]")
@click.option("--link", type=ANY_FOLDER, help="With --pty: keep this symbolic link to the pseudo-terminal.")
@click.option("--tcp", metavar="HOST:PORT", help="Listen on a TCP port instead; port 0 picks a free one.")
@click.option(
    "--firmware",
    type=click.Choice([kind.value for kind in Firmware]),
    default=Firmware.LIVE.value,
    show_default=True,
    help="live: commands and live stream. stock: only commands. old: only the text stream.",
)
@click.option(
    "--qemu",
    is_flag=True,
    help="Run the ARM code of hil/firmware in QEMU as the device. RECORDING may last 86 s at most.",
)
@click.option("--loop", is_flag=True, help="Repeat RECORDING endlessly.")
@click.option(
    "--seed",
    type=click.IntRange(0, MAX_SEED),
    default=1,
    show_default=True,
    help="Random seed for the synthetic session and the faults; each further device uses the next number.",
)
@click.option(
    "--speed",
    type=FiniteRange(0.01, 1000),
    default=1.0,
    show_default=True,
    help="Playback speed: seconds of device time per second.",
)
@click.option(
    "--count",
    type=click.IntRange(1, _MAX_DEVICES),
    default=1,
    show_default=True,
    help="Number of devices, each on its own link (LINK.0, LINK.1, ...) or on consecutive TCP ports.",
)
@click.option(
    "--wait/--no-wait",
    default=None,
    help="Start playing when a host first requests the stream.  [default: with a RECORDING and no --loop]",
)
@click.option("--log", "log_path", type=ANY_PATH, help="Recording that the device's log holds at the start.")
@click.option(
    "--model",
    "serving",
    type=click.Choice(["lr", "mlp"]),
    default="mlp",
    show_default=True,
    help="Which of the device's two models is used at first.",
)
@click.option(
    "--threshold",
    type=ThresholdType(),
    default=0.5,
    show_default=True,
    help="Probability at which the device switches its wheels on.",
)
@click.option(
    "--usb-safe/--no-usb-safe",
    default=True,
    show_default=True,
    help="Stop motors and logging while a host has the port open, as a real blaster does.",
)
@click.option(
    "--fault", "faults", multiple=True, metavar="NAME:key=value,...", help="Inject a fault, see below; repeatable."
)
@click.option("--seconds", type=FiniteRange(0, min_open=True), help="Exit after this time.")
@click.option(
    "--journal",
    type=ANY_FOLDER,
    help="Write to this file when each sample was due and sent, and how the device scored it; several devices write "
    "FILE.0, FILE.1, ...",
)
@click.option("--stats", is_flag=True, help="At the end, print how many samples were sent, and how late.")
@rate_option
@every_option
def emulate(*, recording: str | None, seconds: float | None, stats: bool, journal: Path | None, **options: Any) -> None:
    """Emulate a Stinger blaster that plays RECORDING or, by default, an endless synthetic session.

    The device answers the serial commands, streams samples, and runs its own model, as a real one does. The address of
    each device is printed once it is ready. Ctrl-C stops it.
    """
    setup = _parse_options(recording, options)
    devices: list[Device] = []

    def make_devices(timer: WakeupTimer, generating: asyncio.Lock) -> list[Device]:
        devices.extend(setup.make_devices(timer, generating))
        return devices

    def announce(number: int, device: Device) -> None:
        click.echo(f"device {number}: {device.port.address}")
        sys.stdout.flush()

    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    gc.collect()
    gc.freeze()  # everything allocated so far stays: the collector need not look through it again
    journals = [] if journal is None else journal_paths(journal, len(setup.ports))
    # On Windows the default loop cannot watch the sockets of a device.
    factory = asyncio.SelectorEventLoop if sys.platform == "win32" else None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(run_fleet(make_devices, announce=announce, seconds=seconds, journals=journals))
    for number, device in enumerate(devices if stats else ()):
        click.echo(f"device {number}: {_statistics(device)}")


def _parse_options(recording: str | None, options: dict[str, Any]) -> _Setup:
    if options["loop"] and recording is None:
        raise InputError("--loop needs a RECORDING: a synthetic session never ends")
    rate_hz, every, log_path = options["rate_hz"], options["every"], options["log_path"]
    log = None if recording is None else read_log(recording, rate_hz=rate_hz, every=every)
    logged = None if log_path is None else read_log(log_path, rate_hz=rate_hz, every=every).samples
    wait = options["wait"]
    faults = [parse_fault(text) for text in options["faults"]]
    if options["qemu"]:
        _check_qemu_options(options)
        check_faults(faults)
    return _Setup(
        log=log,
        logged=logged,
        faults=faults,
        ports=_make_ports(options["tcp"], options["link"], options["count"], pty=options["pty"]),
        seed=options["seed"],
        loop=options["loop"],
        serve_lr=options["serving"] == "lr",
        usb_safe=options["usb_safe"],
        decision=DecisionParameters(on=options["threshold"]),
        options=DeviceOptions(
            firmware=Firmware(options["firmware"]),
            speed=options["speed"],
            wait=(log is not None and not options["loop"]) if wait is None else wait,
        ),
        qemu=options["qemu"],
    )


def _check_qemu_options(options: dict[str, Any]) -> None:
    """Raise :class:`InputError` for options of the emulation in Python, which the firmware does not have."""
    given = {
        "--firmware": Firmware(options["firmware"]) is not Firmware.LIVE,
        "--speed": options["speed"] != 1.0,
        "--log": options["log_path"] is not None,
        "--model": options["serving"] == "lr",
        "--wait or --no-wait": options["wait"] is not None,
        "--no-usb-safe": not options["usb_safe"],
    }
    for name, is_given in given.items():
        if is_given:
            raise InputError(f"{name} cannot be combined with --qemu: the firmware decides this by itself")


def _make_ports(tcp: str | None, link: Path | None, count: int, *, pty: bool) -> list[Port]:
    if tcp is None:
        if link is None or count == 1:
            return [PtyPort(link) for _ in range(count)]
        return [PtyPort(link.with_name(f"{link.name}.{i}")) for i in range(count)]
    if pty or link is not None:
        raise InputError("a device is on a pty or on a TCP port: give --tcp, or --pty and --link")
    host, colon, number = tcp.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and number.isascii() and number.isdecimal() and int(number) <= _MAX_TCP_PORT):
        raise InputError(f"--tcp {tcp}: expected HOST:PORT, such as 127.0.0.1:4000")
    first = int(number)
    if first and first + count - 1 > _MAX_TCP_PORT:
        raise InputError(f"--tcp {tcp}: {count} devices need ports beyond {_MAX_TCP_PORT}: choose a lower first port")
    return [TcpPort(host, first + i if first else 0) for i in range(count)]


def _statistics(device: Device) -> str:
    counts = device.transmitter.counts
    text = (
        f"{device.journal.count:,} samples taken, {counts.written:,} packets written, "
        f"{counts.dropped:,} dropped (host did not read), {counts.withheld:,} withheld by faults"
    )
    figures = device.transmitter.lateness.figures()
    return f"{text}; lateness {figures}" if figures.count else text
