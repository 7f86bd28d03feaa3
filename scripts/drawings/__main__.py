"""Write the drawings into ``docs/pictures/``.

``python -m scripts.drawings``, in a checkout with the extra ``train``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import click
from matplotlib.figure import Figure

from scripts.drawings.architecture import draw_packages, draw_processes
from scripts.drawings.counting import draw_average_precision, draw_chance, draw_trade_off
from scripts.drawings.example import Example, make_example
from scripts.drawings.svg import style, svg_text
from scripts.drawings.timeline import draw_decision, draw_labels, draw_window
from stinger.files import text_bytes, write_many

PICTURES: Final = Path(__file__).resolve().parents[2] / "docs" / "pictures"
CONCEPTS: Final[dict[str, tuple[Callable[[Example], Figure], str]]] = {
    "window": (
        draw_window,
        "Turning of the blaster before a shot, with the window of 500 ms that ends 100 ms before it",
    ),
    "labels": (draw_labels, "Samples around a shot and a rejected edge: positive, negative and left out"),
    "decision": (
        draw_decision,
        "Output of the model, smoothed, with both thresholds; below it the wheels, a lead and a false spin-up",
    ),
    "chance": (draw_chance, "A minute of spin-ups, with the real shots and with as many at random moments"),
    "trade-off": (draw_trade_off, "Shots in time against the time with wheels on, at thresholds from 0.9 to 0.05"),
    "average-precision": (
        draw_average_precision,
        "Share of right samples against share of found ones; the area is the average precision",
    ),
}
"""The function that draws each picture of concepts, and its description, by name."""
ARCHITECTURE: Final[dict[str, tuple[Callable[[], Figure], str]]] = {
    "processes": (draw_processes, "Blasters, the daemon with its parts, and the programs around it"),
    "packages": (draw_packages, "The packages in layers: each imports only from those below it"),
}


def drawings(example: Example) -> dict[str, str]:
    """Return the text of every SVG file, by name."""
    with style():
        return {
            **{f"{name}.svg": svg_text(draw(example), about) for name, (draw, about) in CONCEPTS.items()},
            **{f"{name}.svg": svg_text(draw(), about) for name, (draw, about) in ARCHITECTURE.items()},
        }


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=PICTURES)
def main(folder: Path) -> None:
    """Write the drawings of the documentation into FOLDER, docs/pictures if it is not given."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {folder / name: text_bytes(text) for name, text in drawings(make_example()).items()}
    write_many(files)
    for path, data in files.items():
        click.echo(f"{path}: {len(data):,} bytes")


if __name__ == "__main__":
    main()
