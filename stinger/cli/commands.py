"""The subcommands of ``stinger``: where they are, what each one is for, and how the list of them is divided.

``stinger COMMAND --help`` imports the module of the command. So at its top, the module of a command imports what its
options need; what loads scikit-learn, Matplotlib, ONNX Runtime, PyTorch or the web server, which take up to a second to
import, is imported at the beginning of the command's function.
"""

from __future__ import annotations

from typing import Final

COMMANDS: Final = {
    "benchmark": ("models.cli.benchmark:benchmark", "Compare models on a training set, over splits and seeds."),
    "calibrate": ("replay.cli.calibrate:calibrate", "Choose a model's threshold within a limit on false spin-ups."),
    "convert": ("stinger.cli.convert:convert", "Convert a recording between formats."),
    "demo": ("service.cli.demo:demo", "Show the daemon at work with an emulated blaster."),
    "doctor": ("service.cli.doctor:doctor", "Show what is installed and connected, and what is wrong."),
    "emulate": ("hil.cli.emulate:emulate", "Emulate a blaster on a pty or TCP port, with optional faults."),
    "evaluate": (
        "replay.cli.evaluate:evaluate_command",
        "Measure a model on recordings: shots in time, false spin-ups.",
    ),
    "explore": ("replay.cli.explore:explore", "Plot recordings and their shots, and export a training set."),
    "export-model": ("models.cli.exchange:export_model", "Convert a model to a file for the blaster."),
    "forget": ("service.cli.forget:forget_command", "Delete what a broker retains about devices."),
    "import-model": ("models.cli.exchange:import_model", "Convert a model file of the blaster to a model."),
    "hil": ("hil.cli.hil:hil", "Test the daemon on a bench, with emulated or real blasters."),
    "info": ("stinger.cli.info:info", "Show what a recording contains."),
    "models": ("models.cli.models:models", "List, show, add and promote models."),
    "personalise": ("service.cli.personalise:personalise_command", "Fetch a log, train on it, upload the models."),
    "plot": ("replay.cli.plot:plot", "Train models and plot their output over a recording."),
    "pull": ("service.cli.pull:pull", "Fetch a blaster's log."),
    "push": ("service.cli.push:push", "Upload models to a blaster."),
    "recordings": ("service.cli.recordings:recordings", "List, mark, pack and delete recordings."),
    "retrain": ("service.cli.retrain:retrain_command", "Train better models on the daemon's recordings."),
    "run": ("service.cli.run:run", "Run the daemon: samples in, shot events out."),
    "synth": ("models.cli.synth:synth", "Generate a synthetic session."),
    "train": ("models.cli.train:train", "Train a model on a training set or recordings, and measure it."),
    "watch": ("service.cli.watch:watch", "Show live what a daemon publishes."),
    "web": ("service.cli.web:web", "Serve the page for people: live view, recordings, training."),
}
"""Module and function of each subcommand, and its line in the list of commands, shown without importing it."""

SECTIONS: Final = {
    "Daily use": ("demo", "run", "web", "watch", "doctor"),
    "One blaster": ("personalise", "pull", "push"),
    "Recordings": ("recordings", "info", "convert", "explore", "synth"),
    "Models": (
        "train",
        "evaluate",
        "calibrate",
        "retrain",
        "models",
        "benchmark",
        "plot",
        "export-model",
        "import-model",
    ),
    "Tests and maintenance": ("hil", "emulate", "forget"),
}
"""The headings of the list of commands, and the commands below each, those that most people need first."""

FIRST_STEPS: Final = (
    ("stinger demo", "See it work, without any hardware."),
    ("stinger web", "Open the page: live, recordings, models."),
    ("stinger personalise", "Train a model on your own blaster's log."),
    ("stinger run", "Run the daemon: predict and record shots."),
    ("stinger evaluate FILE", "Measure a model on a recording."),
)
"""What ``stinger`` without arguments shows."""
