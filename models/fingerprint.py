"""A fingerprint of training data: a few readings of it.

A recording that holds the same readings is thus recognised. Of each stretch of the data, the hash of its fastest
reading is kept. A recording is compared reading by reading, so its name, clock and format, where it begins and whether
samples are missing do not matter. The size is bounded: the more data, the longer the stretches.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.overlaps import Hashes, Readings, hash_readings
from stinger.sample import INT16_MAX, INT16_MIN

HASHES_MAX: Final = 800
"""Of the hashes that are kept: with 6 bytes each, 6.4 kB of text."""
STRETCH_MIN: Final = 500
"""The fewest samples for one hash: 5 s."""
_MOVING_LSB: Final = 46
"""A stretch with no reading of the gyroscope this large is at rest and left out: the blaster's own limit for stillness."""
_HASH_BYTES: Final = 6
_HASH_SHIFT: Final = np.uint64(8 * (8 - _HASH_BYTES))
_SCHEMA: Final = 1


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprint:
    """``hashes`` ``(k,)``, ascending; each stands for about ``stretch`` samples."""

    hashes: Hashes
    stretch: int

    def seen(self, readings: Readings, *, per_sample: int = 1) -> npt.NDArray[np.bool_]:
        """Return for each of ``readings`` whether it is in the data or close to such a reading; ``per_sample`` for a sample."""
        seen = np.zeros(len(readings), dtype=np.bool_)
        if self.hashes.size:
            hashes = _shortened(readings)
            nearest = self.hashes[np.minimum(np.searchsorted(self.hashes, hashes), self.hashes.size - 1)]
            for position in np.flatnonzero(nearest == hashes).tolist():
                reach = self.stretch * per_sample
                seen[max(0, position - reach) : position + reach] = True
        return seen

    def to_json(self) -> dict[str, Any]:
        """Return the fingerprint as JSON-ready values."""
        octets = self.hashes.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :_HASH_BYTES]
        return {"schema": _SCHEMA, "stretch": self.stretch, "hashes": b64encode(octets.tobytes()).decode("ascii")}


def fingerprint_of(parts: Sequence[Readings]) -> Fingerprint:
    """Return the fingerprint of recordings: of each stretch of equal length, the fastest reading."""
    joined = np.concatenate(parts) if parts else np.empty((0, 6), dtype=np.int16)
    stretch = max(STRETCH_MIN, -(-len(joined) // HASHES_MAX))
    return _fingerprint((joined[at : at + stretch] for at in range(0, len(joined), stretch)), stretch)


def fingerprint_of_windows(windows: npt.NDArray[np.int16], stretch: int) -> Fingerprint:
    """Return the fingerprint of ``windows`` ``(n, w, 6)``, in order of time.

    It has about one reading for each ``stretch`` samples of recording.
    """
    every = max(1, -(-len(windows) // HASHES_MAX))
    return _fingerprint(iter(windows[::every]), max(1, stretch) * every)


def parse_fingerprint(value: Any) -> Fingerprint | None:
    """Return what :meth:`Fingerprint.to_json` returned; ``None`` for anything else, such as that of a newer version."""
    if not isinstance(value, Mapping) or value.get("schema") != _SCHEMA:
        return None
    stretch, text = value.get("stretch"), value.get("hashes")
    if not isinstance(stretch, int) or isinstance(stretch, bool) or stretch < 1 or not isinstance(text, str):
        return None
    try:
        octets = np.frombuffer(b64decode(text, validate=True), dtype=np.uint8)
    except (binascii.Error, ValueError):
        return None
    if octets.size % _HASH_BYTES or octets.size > HASHES_MAX * _HASH_BYTES:
        return None
    whole = np.zeros((octets.size // _HASH_BYTES, 8), dtype=np.uint8)
    whole[:, :_HASH_BYTES] = octets.reshape(-1, _HASH_BYTES)
    return Fingerprint(np.unique(whole.view("<u8").ravel().astype(np.uint64)), stretch)


def _fingerprint(stretches: Iterable[Readings], stretch: int) -> Fingerprint:
    fastest = [reading for part in stretches if (reading := _fastest(part)) is not None]
    if not fastest:
        return Fingerprint(np.empty(0, dtype=np.uint64), stretch)
    return Fingerprint(np.unique(_shortened(np.stack(fastest))), stretch)


def _fastest(readings: Readings) -> npt.NDArray[np.int16] | None:
    """Return the reading ``(6,)`` with the largest rotation that is within the sensor's range; ``None`` at rest."""
    if not len(readings):
        return None
    rotation = np.abs(readings[:, 3:].astype(np.int32)).max(axis=1)
    within = ((readings > INT16_MIN + 1) & (readings < INT16_MAX)).all(axis=1)
    rotation[~within] = 0
    best = int(rotation.argmax())
    return readings[best] if rotation[best] >= _MOVING_LSB else None


def _shortened(readings: Readings) -> Hashes:
    hashes: Hashes = hash_readings(readings) >> _HASH_SHIFT
    return hashes
