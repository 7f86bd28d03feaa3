"""The words of the command protocol. Source: the Stinger firmware's serial commands; only ``MLSTREAM`` is ours."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

LINE_PREFIX: Final = "[ml] "
"""The prefix of every answer, except those of dump and stream, and of every line that the blaster prints on its own."""

DUMP: Final = "MLDUMP"
DUMP_HEADER: Final = "MLDUMP1 "
DUMP_DONE: Final = "MLDUMP_DONE"
DUMP_ERROR: Final = "ERROR: "

LOG_INFO: Final = "MLINFO"
SAMPLES_WRITTEN: Final = "samples_written="

MODEL_INFO: Final = "MLMODEL_INFO"
FINGERPRINT_KEYS: Final = ("lr_intercept", "lr_coef[0]", "mlp_b3", "mlp_w1[0]")
"""The keys of the last lines of the answer to ``MLMODEL_INFO``, in order: two weights of each model in use."""
MODEL_PUT: Final = "MLMODEL_PUT"
MODEL_READY: Final = "MLMODEL_READY"
MODEL_OK: Final = "MLMODEL_OK"
MODEL_LOAD: Final = "MLMODEL_LOAD"
MODEL_LOADED: Final = "MLMODEL_LOADED"
MODEL_DELETE: Final = "MLMODEL_DELETE"
MODEL_DELETED: Final = "MLMODEL_DELETED"
MODEL_ERROR: Final = "MLMODEL_ERR "

NEVER_MS: Final = 2**32 - 1
"""Value of ``cached_age_ms`` before the model's first output."""

STREAM: Final = "MLSTREAM"
STREAM_HEADER: Final = "MLSTREAM1 "
STREAM_DONE: Final = "MLSTREAM_DONE"

COMMAND_MAX_CHARS: Final = 63
"""Size of the firmware's command buffer. A longer line silences the blaster until it is replugged."""
UPLOAD_MAX_BYTES: Final = 199_999
UPLOAD_TIMEOUT_S: Final = 10.0
"""The blaster aborts an upload after this time without a byte."""

LOG_REFUSALS: Final = {
    "no log data": "the blaster's log is empty: switch recording on, move it, shoot, and try again",
    "no log file": "the blaster has no log: switch recording on first",
    "filesystem not ready": "the blaster's flash is not ready: restart the blaster and try again",
    "busy (firing)": "the blaster is firing: wait until the wheels stand still and try again",
}
"""What each reason after ``ERROR:`` means for a user."""

MODEL_REFUSALS: Final = {
    "args": "the blaster did not accept size and checksum of the model file",
    "fs": "the blaster's flash is not ready: restart the blaster and try again",
    "busy": "the blaster is firing: wait until the wheels stand still and try again",
    "open": "the blaster could not create the model file: its flash may be full",
    "crc": "the model arrived damaged and was thrown away: try again",
    "rename": "the blaster could not put the new model in place: restart the blaster and try again",
    "timeout": "the blaster waited 10 s for the rest of the model and gave up: try again",
    "load": "the blaster would not load the model: it is missing, damaged or of the wrong kind",
    "delete": "the blaster could not delete the models: restart the blaster and try again",
}
"""What each reason after ``MLMODEL_ERR`` means for a user."""


class ModelSlot(Enum):
    """A place for a model on the blaster; the value is the suffix of the commands for it."""

    LR = "_LR"
    MLP = "_MLP"
    SINGLE = ""
    """The only place of older firmware, for a model of either kind."""


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """The answer to ``MLMODEL_INFO``."""

    source: str
    """``factory`` or ``user``."""
    user_model_present: bool
    user_has_lr: bool
    user_has_mlp: bool
    cached_age_ms: int
    """Milliseconds since the model's last output; :data:`NEVER_MS` before the first."""
    fingerprints: dict[str, str] = field(default_factory=dict)
    """As :func:`stinger.mlmd.fingerprint` returns them; empty for firmware that prints none."""
