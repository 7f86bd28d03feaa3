"""Short and unique names for data from files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from stinger.files import StrPath

MAX_VERSION_NAME_CHARS: Final = 61


def stems(paths: Sequence[StrPath]) -> list[str]:
    """Return the name of each file without its suffix.

    Where several are equal, return it with the suffix; where these are equal too, preceded by the name of its folder.

    >>> stems(["day1/log.bin", "day2/log.bin", "other.csv", "a.bin", "a.csv"])
    ['day1/log', 'day2/log', 'other', 'a.bin', 'a.csv']
    """
    files = [Path(path) for path in paths]
    same_stem = Counter(file.stem for file in files)
    same_name = Counter(file.name for file in files)
    return [
        file.stem
        if same_stem[file.stem] == 1
        else file.name
        if same_name[file.name] == 1
        else f"{file.absolute().parent.name}/{file.stem}"
        for file in files
    ]


def unused(name: str, taken: Collection[str]) -> str:
    """Return ``name``, or if that is ``taken`` the first of ``name~2``, ``name~3``, ... that is not."""
    candidate, copy = name, 1
    while candidate in taken:
        copy += 1
        candidate = f"{name}~{copy}"
    return candidate


def version_name(text: str) -> str:
    """Return ``text`` as a name that the registry takes, with at most 61 letters, digits, ``-`` and ``_``.

    >>> version_name("mlp:motion+et:rich")
    'mlp-motion-et-rich'
    """
    return re.sub(r"[^A-Za-z0-9_]+", "-", text)[:MAX_VERSION_NAME_CHARS].strip("-")


def distinct(names: Sequence[str]) -> list[str]:
    """Return ``names`` with repeated ones made unique by :func:`unused`.

    >>> distinct(["a", "b", "a"])
    ['a', 'b', 'a~2']
    """
    found: list[str] = []
    for name in names:
        found.append(unused(name, found))
    return found
