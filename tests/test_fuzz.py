"""Every decoder refuses what it cannot read with an error of one line: a small run of ``benchmarks/fuzz.py``."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import suppress

import pytest

from benchmarks.fuzz import every_decoder, fuzz, shares
from benchmarks.fuzzing.decoder import Decoder

INPUTS = int(os.environ.get("FUZZED_INPUTS", "30_000"))
FEW = 4_000
SEED = int(os.environ.get("FUZZ_SEED", "7"))


@pytest.fixture(scope="module")
def decoders() -> Iterator[list[Decoder]]:
    """All decoders, with what they need."""
    with every_decoder() as found:
        yield found


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Keep the warnings about damaged inputs out of the report."""
    caplog.set_level(logging.CRITICAL)


@pytest.mark.parametrize("inputs", [FEW, pytest.param(INPUTS, marks=pytest.mark.slow)])
def test_no_decoder_fails_in_an_unexpected_way(decoders: list[Decoder], inputs: int) -> None:
    results = [fuzz(decoder, count, SEED) for decoder, count in shares(decoders, inputs)]
    faults = [
        f"{result.name}: {fault.trace}\ninput: {fault.first_input.hex()}"
        for result in results
        for fault in result.faults.values()
    ]
    assert not faults, f"FUZZ_SEED={SEED} repeats this run\n" + "\n".join(faults)
    assert sum(result.inputs for result in results) >= inputs - len(decoders)


def test_each_decoder_accepts_its_valid_input(decoders: list[Decoder]) -> None:
    accepted = set()
    for decoder in decoders:
        for seed in decoder.seeds:
            with suppress(*decoder.refusals):
                decoder.decode(seed)
                accepted.add(decoder.name)
    assert accepted == {decoder.name for decoder in decoders}


def test_a_decoder_that_fails_is_found() -> None:
    def fails_on_zero(data: bytes) -> None:
        1 / data[0]

    result = fuzz(Decoder("fails", (b"ab",), fails_on_zero, 1), 3000, SEED)
    kinds = {kind.split()[0] for kind in result.faults}
    assert kinds == {"ZeroDivisionError", "IndexError"}
    assert all(fault.first_input[:1] in {b"", b"\0"} for fault in result.faults.values())
