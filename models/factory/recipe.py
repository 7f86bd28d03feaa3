"""Train the factory model.

It is an MLP on the streams of twelve synthetic sessions of twelve minutes, each of another user. Its threshold was
chosen on three more such sessions (seeds 101 to 103): at 0.25 it had 96 % of 482 accepted shots in time, 36 % by
chance, with 2.7 false spin-ups a minute and the wheels on for 38 % of the time; its average precision was 0.32, 0.05 by
chance. These figures are for synthetic motion, not for real users.
"""

from __future__ import annotations

from typing import Final

from models.dataset import Dataset
from models.decision_parameters import DecisionParameters
from models.row_options import STREAM_FIT
from models.saving import model_file_bytes
from models.sessions import open_sessions
from models.spec import parse_spec
from models.stream_rows import StreamOptions, build_stream_dataset
from models.synthetic import synthesise
from models.training import TrainingOptions, train
from stinger.logs import parse_log
from stinger.logs.writing import encode_bin

MINUTES: Final = 12
SEEDS: Final = range(1, 13)
SPEC: Final = parse_spec("mlp:rich")
DECISION: Final = DecisionParameters(on=0.25)


def make_factory_model() -> bytes:
    """Train the factory model and return its file."""
    options = TrainingOptions(spec=SPEC, split="session", refit=True, estimators=STREAM_FIT)
    dataset = factory_dataset()
    return model_file_bytes(dataset, train(dataset, options), decision=DECISION)


def factory_dataset() -> Dataset:
    """Return the training set of the factory model."""
    data = {f"synthetic-{seed}": encode_bin(synthesise(minutes=MINUTES, seed=seed)) for seed in SEEDS}
    logs = [parse_log(content, name) for name, content in data.items()]
    about = {"inputs": [{"path": log.path, "sha256": log.sha256} for log in logs]}
    return build_stream_dataset(open_sessions(logs), StreamOptions(), about=about)
