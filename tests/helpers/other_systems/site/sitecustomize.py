"""Imported by Python at its start, as this folder is in PYTHONPATH: sets up the limits of another system."""

# Python imports this file by its name, and would ignore an error in it.
# ruff: noqa: INP001, BLE001

import os
import traceback

try:
    from tests.helpers.other_systems.install import install

    install()
except BaseException:
    traceback.print_exc()
    os._exit(97)
