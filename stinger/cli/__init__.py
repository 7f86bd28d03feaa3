"""The ``stinger`` command.

Each subcommand is defined in the room that it belongs to, and is imported when it is called.
"""

from stinger.cli.group import main

__all__ = ["main"]
