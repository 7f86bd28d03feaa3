"""libFuzzer on the parser and on the loader of models, with the sanitizers for addresses and undefined behaviour.

Building them takes longer than the few inputs of ``-m slow``; ``-m soak`` is the long run, whose result the
documentation has. The tests of commands and models beside this one give random bytes to the library without the
sanitizers.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.hil.firmware.library import HERE, SOURCES, WARNINGS, compile_c, compiler, library_sources

INPUTS = 5000
SEED = int(os.environ.get("FUZZ_SEED", "0"))
WORDS = (
    "MLSTREAM 100", "MLSTREAM 50 SCORES", "MLMODEL_PUT_LR ", "MLMODEL_PUT_MLP ", "MLMODEL_PUT 4 0", "MLMODEL_LOAD_LR",
    "MLMODEL_INFO", "MLMODEL_DELETE", "MLDUMP", "MLINFO", "MLMD",
)  # fmt: skip
TARGETS = pytest.mark.parametrize(
    ("target", "longest"), [("fuzz_device", 2048), ("fuzz_model", 1024)], ids=["parser", "models"]
)


def fuzz(target: str, longest: int, inputs: int, folder: Path) -> None:
    program = folder / target
    options = ["-std=c99", "-g", "-O1", *WARNINGS, f"-I{SOURCES}", f"-I{HERE}"]
    sanitizers = ["-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=undefined"]
    sources = [str(HERE / f"{target}.c"), str(HERE / "host_port.c"), *library_sources()]
    compile_c([compiler("clang"), *options, *sanitizers, *sources, "-lm", "-o", str(program)])
    words = folder / "words"
    words.write_text("".join(f'"{word}\\x0a"\n' for word in WORDS))
    seed = SEED or int.from_bytes(os.urandom(3), "little") + 1
    arguments = [f"-runs={inputs}", f"-seed={seed}", f"-max_len={longest}", f"-dict={words}"]
    run = subprocess.run(
        [program, *arguments, f"-artifact_prefix={folder}/"], capture_output=True, text=True, check=False
    )
    found = [path.read_bytes().hex() for path in folder.glob("crash-*")]
    assert run.returncode == 0, f"FUZZ_SEED={seed}\n{run.stderr[-4000:]}\ninput: {found}"


@TARGETS
@pytest.mark.slow
def test_random_bytes_do_no_harm(tmp_path: Path, target: str, longest: int) -> None:
    fuzz(target, longest, INPUTS, tmp_path)


@TARGETS
@pytest.mark.soak
@pytest.mark.timeout(14_400)
def test_ten_million_random_inputs_do_no_harm(tmp_path: Path, target: str, longest: int) -> None:
    fuzz(target, longest, 10_000_000, tmp_path)
