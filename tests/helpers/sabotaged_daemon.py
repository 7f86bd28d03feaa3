"""``stinger run`` with a fault built in: the same arguments, and the fault's name in the environment variable SABOTAGE.

Run: SABOTAGE=drop python tests/helpers/sabotaged_daemon.py run --source serial://auto
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

if __name__ == "__main__":
    # A script finds modules beside itself, not those of its checkout.
    sys.path.insert(0, str(Path(__file__).parents[2]))

    from stinger.cli import main
    from tests.helpers.sabotage import Sabotage, open_sabotaged

    main(obj=partial(open_sabotaged, how=Sabotage(os.environ["SABOTAGE"])))
