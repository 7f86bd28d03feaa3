"""The ``stinger`` command. Each subcommand lives in the room it belongs to and is imported only when it is called."""

from stinger.cli.group import main

__all__ = ["main"]
