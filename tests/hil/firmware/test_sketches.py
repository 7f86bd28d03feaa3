from __future__ import annotations

import configparser
import json
from pathlib import Path

import pytest

from tests.hil.firmware.library import HERE, SOURCES, compile_c, compiler

LIBRARY = SOURCES.parent
SKETCHES = sorted((LIBRARY / "examples").glob("*/*.ino"))


@pytest.mark.parametrize("sketch", SKETCHES, ids=lambda sketch: sketch.stem)
def test_sketch_compiles_against_the_arduino_api(tmp_path: Path, sketch: Path) -> None:
    source = tmp_path / f"{sketch.stem}.cpp"
    source.write_text(f'#include "Arduino.h"\n#include "{sketch}"\n')
    options = ["-std=c++17", "-Wall", "-Wextra", f"-I{HERE / 'arduino'}", f"-I{SOURCES}", "-c"]
    compile_c([compiler("g++"), *options, str(source), "-o", str(tmp_path / "sketch.o")])


def test_each_sketch_is_in_a_folder_of_its_name() -> None:
    assert SKETCHES
    assert all(sketch.parent.name == sketch.stem for sketch in SKETCHES)


def test_both_library_descriptions_agree() -> None:
    properties = configparser.ConfigParser()
    properties.read_string("[library]\n" + (LIBRARY / "library.properties").read_text())
    described = json.loads((LIBRARY / "library.json").read_text())
    for key in ("name", "version"):
        assert properties["library"][key] == described[key]
    assert properties["library"]["includes"] == described["headers"] == "stinger.h"
