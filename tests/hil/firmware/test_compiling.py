from __future__ import annotations

from pathlib import Path

import pytest

from tests.hil.firmware.library import HERE, SOURCES, WARNINGS, compile_c, compiler, library_sources

TARGETS = {
    "gcc": ("gcc", "-std=c99"),
    "clang": ("clang", "-std=c99"),
    "C++ for Arduino": ("g++", "-x", "c++", "-std=c++11"),
    "Cortex-M0+": ("arm-none-eabi-gcc", "-std=c99", "-mcpu=cortex-m0plus", "-mthumb"),
    "Cortex-M4": (
        "arm-none-eabi-gcc",
        "-std=c99",
        "-mcpu=cortex-m4",
        "-mthumb",
        "-mfloat-abi=hard",
        "-mfpu=fpv4-sp-d16",
    ),
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("optimisation", [pytest.param("-O0", marks=pytest.mark.slow), "-Os"])
def test_library_compiles_without_a_warning(tmp_path: Path, target: str, optimisation: str) -> None:
    name, *options = TARGETS[target]
    for source in library_sources():
        out = tmp_path / f"{Path(source).stem}.o"
        compile_c([compiler(name), *options, *WARNINGS, optimisation, "-c", source, "-o", str(out)])


def test_each_header_can_be_included_alone(tmp_path: Path) -> None:
    for header in sorted(SOURCES.glob("*.h")):
        source = tmp_path / f"{header.stem}.c"
        source.write_text(f'#include "{header.name}"\nint unused;\n')
        out = tmp_path / f"{header.stem}.o"
        compile_c([compiler("gcc"), "-std=c99", *WARNINGS, f"-I{SOURCES}", "-c", str(source), "-o", str(out)])


def test_library_uses_only_the_string_and_math_headers() -> None:
    included = {
        line.split()[1]
        for path in SOURCES.iterdir()
        for line in path.read_text().splitlines()
        if line.startswith("#include <")
    }
    assert included <= {"<string.h>", "<math.h>", "<stdint.h>", "<stddef.h>", "<stdbool.h>"}


def test_library_uses_neither_heap_nor_formatted_output() -> None:
    for source in library_sources():
        text = Path(source).read_text()
        assert "malloc" not in text
        assert "printf" not in text.replace('printf("%.6f")', "")


def test_port_for_tests_compiles_without_a_warning(tmp_path: Path) -> None:
    for source in ("host_port.c", "fuzz_device.c", "fuzz_model.c"):
        out = tmp_path / "out.o"
        options = ["-std=c99", *WARNINGS, f"-I{SOURCES}", "-c"]
        compile_c([compiler("gcc"), *options, str(HERE / source), "-o", str(out)])
