"""Turn recordings and training windows about random axes.

The result is as if the blaster or its sensor were held in another way.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from models.sessions import Session
from stinger.recording import Recording
from stinger.sample import clip_to_int16, make_samples

Windows = npt.NDArray[np.int16]
Vectors = npt.NDArray[np.float64]

SCALED_BY: Final = 0.1
"""Turned training windows are also scaled, by a random factor of 1 plus or minus this: another person moves faster or
slower.
"""

_CHUNK: Final = 4096
_TURNED: Final = 0x7475726E
"""Separates the random numbers for turning from others with the same seed."""


def turn_session(session: Session, degrees: float, axis: Vectors) -> Session:
    """Return ``session`` with every sample turned by ``degrees`` about ``axis`` ``(3,)``, under the same name."""
    recording = session.recording
    (rotation,) = rotations(np.array([degrees]), axis[None])
    samples = make_samples(
        recording.samples["timestamp_ms"], _turned(recording.axes[None], rotation[None])[0], recording.trigger
    )
    return replace(session, recording=Recording(samples, recording.time_ms, recording.rate), readings=None)


def with_turned(
    windows: Windows, labels: npt.NDArray[np.uint8], degrees: float, seed: int
) -> tuple[Windows, npt.NDArray[np.uint8]]:
    """Return ``windows`` and ``labels``, each followed by a turned copy of all.

    Of ``(n, w, 6)`` and ``(n,)`` come ``2 n`` rows, in the same order. The copy is turned by a random angle of up to
    ``degrees`` about a random axis, and scaled by up to :data:`SCALED_BY`.
    """
    rng = np.random.default_rng([_TURNED, seed])
    count = windows.shape[0]
    both = np.repeat(windows, 2, axis=0)
    for start in range(0, count, _CHUNK):
        part = windows[start : start + _CHUNK]
        turns = rotations(rng.uniform(0, degrees, len(part)), random_axes(rng, len(part)))
        scales = rng.uniform(1 - SCALED_BY, 1 + SCALED_BY, len(part))
        both[2 * start + 1 : 2 * (start + len(part)) : 2] = _turned(part, turns * scales[:, None, None])
    return both, np.repeat(labels, 2)


def random_axes(rng: np.random.Generator, count: int) -> Vectors:
    """Return ``(count, 3)`` unit vectors, uniformly distributed over all directions."""
    vectors = rng.normal(size=(count, 3))
    axes: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return axes


def rotations(degrees: Vectors, axes: Vectors) -> Vectors:
    """Return the rotation matrices ``(n, 3, 3)`` by ``degrees`` ``(n,)`` about unit vectors ``axes`` ``(n, 3)``."""
    matrices: Vectors = Rotation.from_rotvec(np.radians(degrees)[:, None] * axes).as_matrix().reshape(-1, 3, 3)
    return matrices


def _turned(windows: Windows, matrices: Vectors) -> Windows:
    """Apply ``matrices`` ``(n, 3, 3)`` to both sensors in ``windows`` ``(n, w, 6)``; values beyond the range are clipped."""
    vectors = windows.reshape(*windows.shape[:2], 2, 3).astype(np.float32)
    turned = np.einsum("nij,nwsj->nwsi", matrices.astype(np.float32), vectors, optimize=True)
    clipped, _ = clip_to_int16(np.rint(turned).astype(np.int64).reshape(windows.shape))
    return clipped
