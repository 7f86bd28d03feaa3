"""The part of ``stinger emulate --help`` that lists the faults."""

from __future__ import annotations

import click

from hil.emulated.faults import FAULTS
from hil.emulated.faults.fault import Fault
from hil.emulated.faults.parsing import keys_of


class CommandWithFaultList(click.Command):
    """A command whose help lists the faults below the options."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the faults, each with its own keys, and the keys that all of them have."""
        del ctx
        with formatter.section("Faults (--fault NAME:key=value,...)"):
            formatter.write_dl([(_signature(name, kind), _first_line(kind)) for name, kind in FAULTS.items()])
        with formatter.section("Keys of every fault"):
            formatter.write_dl(
                [
                    ("start=SECONDS", "When it begins, in the device's time.  [default: 0]"),
                    ("for=SECONDS", "How long it lasts.  [default, for most: until the end]"),
                    ("every=SECONDS", "Repeat at this interval; 0: only once.  [default: 0]"),
                ]
            )


def _signature(name: str, kind: type[Fault]) -> str:
    common = {"start", "for", "every"}
    own = [key for key in keys_of(kind) if key not in common]
    return name + (f":{','.join(f'{key}=' for key in own)}" if own else "")


def _first_line(kind: type[Fault]) -> str:
    return (kind.__doc__ or "").partition("\n")[0]
