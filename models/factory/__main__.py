"""Create the factory model again: ``python -m models.factory``, in a checkout.

With the same versions of the libraries on the same kind of machine the result is the same, except for its creation
time.
"""

from __future__ import annotations

from pathlib import Path

from models.factory import FACTORY_FILE
from models.factory.recipe import make_factory_model
from stinger.files import write_bytes


def main() -> None:
    """Train the factory model and write it into the package."""
    target = Path(__file__).with_name(FACTORY_FILE)
    data = make_factory_model()
    write_bytes(target, data)
    print(f"{target}: {len(data):,} bytes")  # noqa: T201 - a script's output


if __name__ == "__main__":
    main()
