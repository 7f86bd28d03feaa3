"""Describes the machine, from the files of its operating system."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Final

_TIMEOUT_S: Final = 10.0
_ROOT: Final = Path("/")
_KIB_PER_GIB: Final = 2**20


def machine(root: Path = _ROOT) -> dict[str, str | float | None]:
    """Return operating system, computer, processor, and whether it is virtual.

    ``root`` is the root of its file system.
    """
    cpuinfo = _read(root / "proc/cpuinfo") or ""
    return {
        "operating system": _operating_system(root),
        "kernel": f"{platform.system()} {platform.release()}",
        "computer": _computer(root),
        "architecture": platform.machine() or None,
        "processor": _processor(cpuinfo),
        "cores": os.cpu_count(),
        "cores it may use": _usable_cores(),
        "memory, GiB": _memory_gib(root),
        "CPU governor": _governor(root),
        "virtual machine": _detected(root, "--vm") or _virtual_machine(cpuinfo),
        "container": _detected(root, "--container") or _container(root),
    }


def _operating_system(root: Path) -> str | None:
    if platform.system() == "Darwin":
        return f"macOS {platform.mac_ver()[0]}"
    if platform.system() != "Linux":
        return f"{platform.system()} {platform.version()}".strip() or None
    name = re.search(r'^PRETTY_NAME="?([^"\n]*)', _read(root / "etc/os-release") or "", re.MULTILINE)
    return name[1] if name else None


def _computer(root: Path) -> str | None:
    """Return the name of the board (Raspberry Pi), or the vendor and product in a PC's firmware."""
    board = _read(root / "proc/device-tree/model")
    if board:
        return board.strip("\0\n ")
    parts = [(_read(root / "sys/class/dmi/id" / name) or "").strip() for name in ("sys_vendor", "product_name")]
    return " ".join(part for part in parts if part) or None


def _processor(cpuinfo: str) -> str | None:
    if platform.system() == "Darwin":
        return _output("sysctl", "-n", "machdep.cpu.brand_string")
    name = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return name[1].strip() if name else platform.processor() or None


def _usable_cores() -> int | None:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def _memory_gib(root: Path) -> float | None:
    total = re.search(r"^MemTotal:\s*(\d+) kB", _read(root / "proc/meminfo") or "", re.MULTILINE)
    return round(int(total[1]) / _KIB_PER_GIB, 1) if total else None


def _governor(root: Path) -> str | None:
    found = {
        (_read(path) or "").strip()
        for path in (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor")
    }
    return ", ".join(sorted(found - {""})) or None


def _virtual_machine(cpuinfo: str) -> str | None:
    """Return whether the hypervisor flag of x86 is set; ``None`` for other processors, which have none."""
    flags = re.search(r"^flags\s*:(.*)$", cpuinfo, re.MULTILINE)
    if flags is None:
        return None
    return "yes" if "hypervisor" in flags[1].split() else "none"


def _container(root: Path) -> str | None:
    if (root / ".dockerenv").exists():
        return "docker"
    if (root / "run/.containerenv").exists():
        return "podman"
    return None


def _detected(root: Path, kind: str) -> str | None:
    """Return what systemd-detect-virt prints, such as ``kvm``; for ``none`` it exits with 1, but prints it as well."""
    return _output("systemd-detect-virt", kind) if root == _ROOT else None


def _output(*command: str) -> str | None:
    try:
        ended = subprocess.run(  # noqa: S603 - fixed arguments
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return ended.stdout.strip() or None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
