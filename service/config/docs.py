"""Writes docs/configuration.md from the keys: python -m service.config.docs > docs/configuration.md."""

from __future__ import annotations

import sys

from service.config.config import KEYS
from service.config.loading import FILE_VARIABLE

_HEAD = f"""\
# Configuration of the daemon

The table `[retrain]` and its options are for `stinger retrain` ([retraining.md](retraining.md)); everything else is for the
daemon, `stinger run`.

Every key can be set in a TOML file (`--config FILE`, or `{FILE_VARIABLE}`) and by an environment variable, and many by a
command line option. The environment overrides the file, and an option overrides both. An unknown key, a wrong type and a
value out of range are refused with one line that names the place. `stinger run --check` checks the configuration, and that the
files and ports it names exist; `stinger run --print-config` prints the effective configuration, without secrets.

A running daemon applies a change of a **live** key when it receives SIGHUP; for any other key it logs that the change waits
for a restart. A key that is removed has its default again: without `threshold`, each model uses its own. A change of
`threshold` also replaces the thresholds that were set over MQTT; any other reload leaves those as they are.

Relative paths in the file start at its folder, other relative paths at the working directory. In an environment variable
the items of a list are separated by spaces, and an empty value sets nothing.

**Passwords** come from a file or the environment, never from a URL or the command line. The password is the first line of
`broker.password_file`, without the line end and a byte order mark, which are dropped from `STINGER_BROKER_PASSWORD` as well;
that takes precedence over the file, and a user in the broker's URL over `broker.user`. The embedded broker has a password of its
own ([mqtt.md](mqtt.md#brokers)).

**Sources** are described in [sources.md](sources.md). The name of a device, given with `?device=NAME` or made of the port,
the address or the file name, has 1 to 64 letters, digits, `_` or `-`, and is not `daemon`. Its recordings are in a folder
of this name. Names that Windows reserves (`CON`, `PRN`, `AUX`, `NUL`, `COM0` to `COM9`, `LPT0` to `LPT9`, in upper or lower
case) get a `=` at the end of the folder's name on every system, as in `recordings/COM3=`. On a file system that ignores
case, devices whose names only differ in case share a folder; each recording is a separate file, and its sidecar names the
device.

```toml
sources = ["serial://auto"]
threshold = 0.6

[broker]
url = "mqtts://broker.example"
user = "stinger"
password_file = "secret.txt"

[metrics]
port = 9464
```"""


def configuration_page() -> str:
    """Return the page, with a table for each table of the file."""
    parts = [_HEAD]
    table = None
    for entry in KEYS:
        head, _, name = entry.name.rpartition(".")
        if head != table:
            title = f"`[{head}]`" if head else "Top of the file"
            parts.append(
                f"\n## {title}\n\n| key | what it sets | value | default | environment, option |\n{'| --- ' * 5}|"
            )
            table = head
        names = f"`{entry.variable}`"
        if entry.traits.option:
            names += " " + " ".join(f"`{flag}`" for flag in entry.traits.option.split("/"))
        default = entry.default_text
        default = f"`{default}`" if default and entry.traits.default_text is None else default
        where = name if not entry.traits.secret else f"({name})"
        live = " **Live.**" if entry.traits.live else ""
        parts.append(
            f"| `{where}` | {entry.traits.help}{live} | {entry.expectation()} | {default or 'none'} | {names} |"
        )
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.stdout.write(configuration_page())
