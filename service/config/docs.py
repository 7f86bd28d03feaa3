"""docs/configuration.md, made of the keys. Run: python -m service.config.docs > docs/configuration.md."""

from __future__ import annotations

import sys

from service.config.config import KEYS
from service.config.loading import FILE_VARIABLE

_HEAD = f"""\
# Configuration of the daemon

`[retrain]` is what `stinger retrain` goes by ([retraining.md](retraining.md)), and so are its options; all else is the daemon's.

Every key can be set in a TOML file (`--config FILE`, or `{FILE_VARIABLE}`), by an environment variable, and most that one
changes often by an option. Later wins: default, file, environment, option. An unknown key, a wrong type or a value out of
range is refused with one line that names the place. `stinger run --check` only checks; `stinger run --print-config` shows
what is in effect, without secrets.

Relative paths in the file start at its folder, others at the working directory. In an environment variable a list is
separated by spaces, and an empty value sets nothing. Passwords come from a file or the environment, never from a URL or
the command line.

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
    """The page, with a table for each table of the file."""
    parts = [_HEAD]
    table = None
    for one in KEYS:
        head, _, name = one.name.rpartition(".")
        if head != table:
            title = f"`[{head}]`" if head else "Top of the file"
            parts.append(
                f"\n## {title}\n\n| key | what it sets | value | default | environment, option |\n{'| --- ' * 5}|"
            )
            table = head
        names = f"`{one.variable}`"
        if one.traits.option:
            names += " " + " ".join(f"`{flag}`" for flag in one.traits.option.split("/"))
        default = one.default_text
        default = f"`{default}`" if default and one.traits.default_text is None else default
        where = name if not one.traits.secret else f"({name})"
        parts.append(f"| `{where}` | {one.traits.help} | {one.expectation()} | {default or 'none'} | {names} |")
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.stdout.write(configuration_page())
