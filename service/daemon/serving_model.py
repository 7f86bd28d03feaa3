"""The model in use, which follows the registry's champion while the daemon runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from models.choice import CHAMPION, FACTORY, ChosenModel, choose_stored_model
from models.registry import Registry
from service.base.logs import get_logger
from stinger.errors import InputError

CHECK_S: Final = 0.5
"""How often the registry is checked: a new champion is in use within two seconds, the time to open it included."""
RETRY_S: Final = 60.0
"""After how long a champion that could not be used is tried again if nothing about it has changed."""

_LOG = get_logger(__name__)

Choose = Callable[[str, Registry], ChosenModel]
"""Opens and tries the model of a choice, as :func:`choose_stored_model` does."""


@dataclass(frozen=True, slots=True)
class _FailedChampion:
    """A champion that could not be used: trying it again at each check would keep a processor busy."""

    state: object
    tried_s: float
    problem: str


class ServingModel:
    """The model in use, at first ``serving``. If ``choice`` is the champion, each new champion is used.

    ``problem`` is the reason why ``serving`` is not the model of ``choice``; empty if it is. ``on_change`` is called
    with each model that replaces the one in use. ``on_problem`` is called with the reason when a champion cannot be
    used, once for each reason, while the model before it stays in use; and with an empty text when the right model is
    in use again.
    """

    def __init__(
        self,
        choice: str,
        serving: ChosenModel,
        registry: Registry,
        *,
        on_change: Callable[[ChosenModel], None],
        on_problem: Callable[[str], None],
        problem: str = "",
        choose: Choose = choose_stored_model,
        retry_s: float = RETRY_S,
    ) -> None:
        self.serving = serving
        self._following = choice == CHAMPION
        self._registry = registry
        self._on_change = on_change
        self._on_problem = on_problem
        self._choose = choose
        self._retry_s = retry_s
        self._failed: _FailedChampion | None = None
        self._opening: asyncio.Future[ChosenModel] | None = None
        self._problem = ""
        self._set_problem(problem)
        _LOG.info("model_opened", version=serving.version, **_cost(serving))

    async def choose(self, choice: str) -> ChosenModel:
        """Use the model of ``choice`` and return it: a version of the registry, ``champion`` or ``factory``.

        Raises :class:`InputError` for one that cannot be used, and then changes nothing. A path is refused: the choice
        comes over a network, and its sender must not learn what files there are.
        """
        if self._opening is not None and not self._opening.done():
            raise InputError("another model is still being opened: try again later")
        # If this is cancelled by a timeout, the thread continues; no second one may start meanwhile.
        self._opening = asyncio.ensure_future(asyncio.to_thread(self._choose, choice, self._registry))
        self._opening.add_done_callback(_take_error)
        serving = await asyncio.shield(self._opening)
        self._following = choice == CHAMPION
        self._set_problem("")
        self._use(serving)
        return serving

    async def follow(self, *, every_s: float = CHECK_S) -> None:
        """Until cancelled, use each new champion once it was opened and tried, as long as the champion is the choice."""
        while True:
            await asyncio.sleep(every_s)
            if self._following:
                before = self.serving
                champion, problem = await self._open_champion()
                # If another model was chosen in the meantime, this result is out of date.
                if self._following and self.serving is before:
                    self._set_problem(problem)
                    if champion is not None:
                        self._use(champion)

    async def _open_champion(self) -> tuple[ChosenModel | None, str]:
        """Open and try the champion, unless it is in use already; return it, or why it cannot be used."""
        try:
            champion = self._registry.champion()
            if (FACTORY if champion is None else champion.id) == self.serving.version:
                return None, ""
            state = None if champion is None else champion.state()
        except InputError as error:
            return None, str(error)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the registry, the model in use stays
            return None, _unexpected(error)
        failed, now_s = self._failed, time.monotonic()
        if failed is not None and failed.state == state and now_s - failed.tried_s < self._retry_s:
            return None, failed.problem
        try:
            # Trying and opening takes half a second or more: not on the event loop.
            found = await asyncio.to_thread(self._choose, CHAMPION, self._registry)
        except InputError as error:
            problem = str(error)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a new champion, the old one stays in use
            problem = _unexpected(error)
        else:
            self._failed = None
            return (None if found.version == self.serving.version else found), ""
        self._failed = _FailedChampion(state, now_s, problem)
        return None, problem

    def _use(self, serving: ChosenModel) -> None:
        if serving.version != self.serving.version:
            _LOG.info("model_changed", before=self.serving.version, now=serving.version, **_cost(serving))
        self.serving = serving
        self._on_change(serving)

    def _set_problem(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            self._on_problem(problem)


def _unexpected(error: Exception) -> str:
    return f"the champion cannot be opened: {error!r:.200}"


def _cost(model: ChosenModel) -> dict[str, float]:
    """Return the measured time for a sample as a field of a log line.

    There is none for the factory model, which is not measured.
    """
    return {} if model.us_per_sample is None else {"us_per_sample": round(model.us_per_sample, 1)}


def _take_error(opening: asyncio.Future[ChosenModel]) -> None:
    """Retrieve the error of an opening that no task awaits any more; otherwise asyncio would log it."""
    if not opening.cancelled():
        opening.exception()
