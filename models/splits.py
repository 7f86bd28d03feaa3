"""Split the rows of a training set into those to train on and those to test on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.dataset import Rows
from stinger.errors import InputError

SPLITS: Final = ("random", "time", "group", "session")
"""The splits of :func:`make_split`."""

_DRAWS: Final = 100
"""After this many draws of groups without both classes on both sides, the split counts as impossible."""

Labels = npt.NDArray[np.integer[Any]]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Row numbers, ascending: ``train`` ``(a,)`` and ``test`` ``(b,)``. No row is in both; every row is in one."""

    train: Indices
    test: Indices


def make_split(name: str, labels: Labels, rows: Rows, *, test_size: float, seed: int) -> Split:
    """Split ``labels`` ``(n,)`` so that both classes are on both sides; ``test_size`` is a fraction, rounded up.

    * ``random``: each class in proportion.
    * ``time``: tests on the end of each session, by time of event. Each session is split by itself, because each clock
      starts at 0 and times of two sessions cannot be compared. A session of one row is trained on. Independent of
      ``seed``.
    * ``group``: shots are drawn, each with all rows that have its number; rows of a session without a shot stay
      together. The same seed draws the same shots as the original training script.
    * ``session``: whole sessions are drawn.

    A draw of groups or sessions that leaves a side without a class is repeated with the same random generator. Raises
    :class:`InputError` if that is impossible, for an unknown name, and unless 0 < ``test_size`` < 1.
    """
    if not 0 < test_size < 1:
        raise InputError(f"the test size is a fraction between 0 and 1, not {test_size:g}")
    for label, noun in ((1, "positives"), (0, "negatives")):
        if not (labels == label).any():
            raise InputError(f"the training set has no {noun}: training needs both classes")
    if name == "random":
        return _random(labels, test_size, seed)
    if name == "time":
        split = _time(rows, test_size)
        _check_classes(name, labels, split)
        return split
    if name == "group":
        return _grouped("group", _shot_groups(rows), labels, test_size=test_size, seed=seed)
    if name == "session":
        _, sessions = np.unique(rows.session, return_inverse=True)
        return _grouped("session", sessions, labels, test_size=test_size, seed=seed)
    raise InputError(f"there is no split '{name}': expected {', '.join(SPLITS)}")


def stratified_subset(labels: Labels, count: int, *, seed: int) -> Indices:
    """Draw ``count`` row numbers, ascending, from each class in proportion and at least one of each class.

    Returns all rows if there are no more than ``count``. Raises :class:`InputError` for fewer than one row per class.
    """
    if count >= labels.size:
        return np.arange(labels.size)
    classes, sizes = np.unique(labels, return_counts=True)
    if count < classes.size:
        raise InputError(f"{count} rows cannot contain {classes.size} classes: allow more")
    rng = np.random.default_rng(seed)
    positives = min(max(round(count * sizes[-1] / labels.size), classes.size - 1), count - classes.size + 1, sizes[-1])
    wanted = (count,) if classes.size == 1 else (count - positives, positives)
    drawn = [
        rng.choice(np.flatnonzero(labels == label), size=number, replace=False)
        for label, number in zip(classes, wanted, strict=True)
    ]
    return np.sort(np.concatenate(drawn))


def _random(labels: Labels, test_size: float, seed: int) -> Split:
    from sklearn.model_selection import train_test_split  # noqa: PLC0415 - half a second to import

    rarer = int(np.bincount(labels, minlength=2).min())
    tested = math.ceil(test_size * labels.size)
    if rarer < 2 or min(tested, labels.size - tested) < 2:  # noqa: PLR2004 - both classes on both sides
        raise InputError(
            f"a random split needs both classes on both sides: there are {labels.size} rows, {rarer} of the rarer class, "
            f"and {tested} to test on; record more shots"
        )
    train, test = train_test_split(np.arange(labels.size), test_size=test_size, random_state=seed, stratify=labels)
    split = _sorted(train, test)
    _check_classes("random", labels, split)
    return split


def _time(rows: Rows, test_size: float) -> Split:
    tested = np.zeros(rows.session.size, dtype=np.bool_)
    for session in np.unique(rows.session):
        members = np.flatnonzero(rows.session == session)
        in_time = members[np.argsort(rows.event_timestamp_ms[members], kind="stable")]
        count = min(math.ceil(test_size * members.size), members.size - 1)
        tested[in_time[members.size - count :]] = True
    return Split(train=np.flatnonzero(~tested), test=np.flatnonzero(tested))


def _shot_groups(rows: Rows) -> npt.NDArray[np.intp]:
    """Return a group number ``(n,)`` for each row: one for each session without shots, then one for each shot.

    Groups are in the order of their numbers, as in the original training script, because a draw depends on the order.
    """
    groups = np.empty(rows.shot_num.size, dtype=np.intp)
    of_shot = rows.shot_num >= 0
    sessions, groups[~of_shot] = np.unique(rows.session[~of_shot], return_inverse=True)
    _, shots = np.unique(rows.shot_num[of_shot], return_inverse=True)
    groups[of_shot] = shots + sessions.size
    return groups


def _grouped(name: str, groups: npt.NDArray[np.intp], labels: Labels, *, test_size: float, seed: int) -> Split:
    from sklearn.model_selection import GroupShuffleSplit  # noqa: PLC0415 - half a second to import

    noun = "shot" if name == "group" else "session"
    count = int(groups.max()) + 1
    tested = math.ceil(test_size * count)
    if count < 2 or tested >= count:  # noqa: PLR2004
        raise InputError(
            f"a {name} split needs several {noun}s: {count} there, {tested} to test on; try "
            + ("a smaller --test-size" if count > 1 else "another split")
        )
    draws = GroupShuffleSplit(n_splits=_DRAWS, test_size=test_size, random_state=seed)
    problem = None
    for train, test in draws.split(labels, labels, groups):
        split = _sorted(train, test)
        try:
            _check_classes(name, labels, split)
        except InputError as error:
            problem = error
        else:
            return split
    assert problem is not None
    raise problem


def _sorted(train: Indices, test: Indices) -> Split:
    return Split(train=np.sort(train), test=np.sort(test))


def _check_classes(name: str, labels: Labels, split: Split) -> None:
    for side, members in (("training", split.train), ("test", split.test)):
        positives = int(np.count_nonzero(labels[members]))
        for count, noun in ((positives, "positives"), (members.size - positives, "negatives")):
            if not count:
                raise InputError(
                    f"the {side} side of the {name} split has no {noun} among its {members.size} rows: "
                    "try another --test-size or another split"
                )
