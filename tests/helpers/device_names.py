"""Device names for tests: a strategy for all of them, and names that some room once refused while another accepted them."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from stinger.device_name import parse_device_name

RESERVED_ON_WINDOWS: Final = (
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{kind}{number}" for kind in ("com", "lpt") for number in range(10)),
)
NAMES_TO_ACCEPT: Final = ("_a", "-a", "con", "NUL", "COM3", "lpt1", "left", "Daemon", "x" * 64)
NAMES_TO_REFUSE: Final = (
    "",
    "daemon",
    "a b",
    "a/b",
    "a\\b",
    "/etc",
    ".",
    "..",
    "a.b",
    "COM1.x",
    "a+",
    "#",
    "$SYS",
    "a\n",
    "a\0",
    "é",
    "\ud800",
    "COM\N{SUPERSCRIPT ONE}",
    "x" * 65,
    "COM3=",
)

device_names: Final = st.one_of(
    st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True).filter(lambda name: name != "daemon"),
    st.sampled_from(RESERVED_ON_WINDOWS).flatmap(lambda name: st.sampled_from([name, name.upper(), name.title()])),
).map(parse_device_name)
