"""The factory models of an emulated blaster: the MLP is the program's own factory model, the LR a simpler one.

So host and device compute the same scores from the start.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

from stinger.mlmd import LrModel, MlpModel, decode_mlmd

LR_FILE: Final = "lr.mlmd"
MLP_FILE: Final = "mlp.mlmd"


@cache
def factory_models() -> tuple[LrModel, MlpModel]:
    """Return the LR and the MLP in the package, which ``python -m hil.emulated.factory`` makes."""
    lr, mlp = (decode_mlmd(files(__name__).joinpath(name).read_bytes()) for name in (LR_FILE, MLP_FILE))
    assert isinstance(lr, LrModel)
    assert isinstance(mlp, MlpModel)
    return lr, mlp
