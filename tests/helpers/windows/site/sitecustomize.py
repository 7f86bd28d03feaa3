"""Imported by Python at its start, as this folder is in PYTHONPATH: sets up the limits of Windows."""

import os
import traceback

try:
    from tests.helpers.windows.install import install

    install()
except BaseException:
    traceback.print_exc()
    os._exit(97)
