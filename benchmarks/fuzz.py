"""Random and mutated inputs for every decoder of the program.

None may fail with anything but its own error of one line. Run: python -m benchmarks.fuzz [NUMBER OF INPUTS] [SEED]
[PART OF A DECODER'S NAME]. Inputs depend only on the seed and the decoder. Prints a table, and each fault with its
input in hex; the exit code is 1 if there is any. A million inputs take about a minute of one core.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from benchmarks.fuzzing.brokers import broker_decoders
from benchmarks.fuzzing.decoder import Decoder, Mutator
from benchmarks.fuzzing.files import file_decoders
from benchmarks.fuzzing.http import http_decoder
from benchmarks.fuzzing.kept import kept_decoders
from benchmarks.fuzzing.page import page_decoders
from benchmarks.fuzzing.shared import shared_decoders
from benchmarks.fuzzing.texts import text_decoders
from benchmarks.fuzzing.wire import wire_decoders

INPUTS = 1_000_000
SEED = 1
MEMORY_MAX_BYTES = 6 * 2**30
SLOW_S = 10.0
"""An input that takes longer is a fault as well."""
_FAULTS_SHOWN = 3


@dataclass(slots=True)
class Fault:
    """A kind of fault: the exception and the place where it was raised."""

    kind: str
    first_input: bytes
    trace: str
    count: int = 1


@dataclass(slots=True)
class Result:
    """What became of the inputs of one decoder."""

    name: str
    inputs: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    faults: dict[str, Fault] = field(default_factory=dict)

    @property
    def unexpected(self) -> int:
        """Number of inputs that caused a fault."""
        return sum(fault.count for fault in self.faults.values())


def main() -> None:
    inputs = int(sys.argv[1]) if len(sys.argv) > 1 else INPUTS
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else SEED
    only = sys.argv[3] if len(sys.argv) > 3 else ""
    _limit_memory()
    logging.disable(logging.CRITICAL)
    print(f"seed {seed}\n\n{'decoder':<38}{'inputs':>12}{'refused':>12}{'unexpected':>12}{'slowest':>12}", flush=True)
    results = []
    with every_decoder() as decoders:
        for decoder, count in shares([decoder for decoder in decoders if only in decoder.name], inputs):
            results.append(fuzz(decoder, count, seed))
            _print(results[-1])
    total, refused, unexpected = (
        sum(getattr(result, name) for result in results) for name in ("inputs", "refused", "unexpected")
    )
    print(f"{'all':<38}{total:>12,}{refused:>12,}{unexpected:>12,}")
    for result in results:
        for fault in list(result.faults.values())[:_FAULTS_SHOWN]:
            print(
                f"\n{result.name}, {fault.count} times, first with the input {fault.first_input.hex()}\n{fault.trace}"
            )
    sys.exit(1 if unexpected else 0)


@contextmanager
def every_decoder() -> Iterator[list[Decoder]]:
    """Yield all decoders; their files and the HTTP server are there until the block ends."""
    with (
        tempfile.TemporaryDirectory(prefix="stinger-fuzz-") as folder,
        http_decoder() as http,
        broker_decoders() as brokers,
        page_decoders(Path(folder)) as page,
    ):
        path = Path(folder)
        yield [
            *wire_decoders(),
            *text_decoders(),
            *file_decoders(path),
            *shared_decoders(path),
            *kept_decoders(path / "kept"),
            *page,
            *brokers,
            http,
        ]


def shares(decoders: list[Decoder], inputs: int) -> Iterator[tuple[Decoder, int]]:
    """Yield each decoder with its number of ``inputs``."""
    whole = sum(decoder.share for decoder in decoders)
    for decoder in decoders:
        yield decoder, max(1, round(inputs * decoder.share / whole))


def fuzz(decoder: Decoder, inputs: int, seed: int) -> Result:
    """Give ``decoder`` its valid inputs, which it must accept, and then ``inputs`` changed ones."""
    for valid in decoder.seeds:
        with suppress(*decoder.refusals):
            decoder.decode(valid)
    mutator = Mutator(decoder, Random(f"{seed} {decoder.name}"))
    result = Result(decoder.name)
    for _ in range(inputs):
        data = mutator.next()
        begun_s = time.perf_counter()
        try:
            decoder.decode(data)
        except decoder.refusals:
            result.refused += 1
        except Exception as error:  # noqa: BLE001 - what this program looks for
            _add_fault(result, data, error)
        took_s = time.perf_counter() - begun_s
        result.inputs += 1
        result.slowest_s = max(result.slowest_s, took_s)
        if took_s > SLOW_S:
            _add_fault(result, data, TimeoutError(f"took {took_s:.1f} s"))
    return result


def _add_fault(result: Result, data: bytes, error: Exception) -> None:
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    kind = f"{type(error).__name__} {place}"
    if kind in result.faults:
        result.faults[kind].count += 1
    else:
        result.faults[kind] = Fault(kind, data, "".join(traceback.format_exception(error)))


def _print(result: Result) -> None:
    slowest = f"{result.slowest_s * 1000:,.1f} ms"
    print(
        f"{result.name:<38}{result.inputs:>12,}{result.refused:>12,}{result.unexpected:>12,}{slowest:>12}", flush=True
    )


def _limit_memory() -> None:
    """Have an input that wants too much memory fail with an exception instead of exhausting the machine, where possible."""
    with suppress(ImportError):
        import resource  # noqa: PLC0415 - not on Windows

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX_BYTES, MEMORY_MAX_BYTES))


if __name__ == "__main__":
    main()
