"""Makes the emulated blaster's factory models: run ``python -m hil.emulated.factory`` in a checkout.

The MLP is taken from :mod:`models.factory`; the LR is trained on the same synthetic sessions.
"""

from __future__ import annotations

from pathlib import Path

from hil.emulated.factory import LR_FILE, MLP_FILE
from models.factory import factory_model
from models.factory.recipe import factory_dataset
from models.graph.export import blaster_model_of
from models.model_file import open_model
from models.row_options import STREAM_FIT
from models.saving import model_file_bytes
from models.spec import parse_spec
from models.training import TrainingOptions, train
from stinger.mlmd import write_mlmd


def main() -> None:
    """Write both files into the package."""
    folder = Path(__file__).parent
    dataset = factory_dataset()
    trained = train(
        dataset,
        TrainingOptions(spec=parse_spec("logreg:summary"), split="session", refit=True, estimators=STREAM_FIT),
    )
    write_mlmd(folder / LR_FILE, blaster_model_of(open_model(model_file_bytes(dataset, trained))))
    write_mlmd(folder / MLP_FILE, blaster_model_of(factory_model()))


if __name__ == "__main__":
    main()
