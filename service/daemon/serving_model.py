"""The model that scores, and following the registry's champion while the daemon runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from models.choice import CHAMPION, FACTORY, ChosenModel, choose_model
from models.registry import Registry
from service.base.logs import event_text
from stinger.errors import InputError

LOOK_EVERY_S: Final = 0.5
"""How often the registry is looked at: a new champion serves within two seconds, with time to open it."""

_LOG = logging.getLogger(__name__)


class ServingModel:
    """The model that serves, from a ``choice`` on (see :func:`choose_model`). While that is the champion, it is followed.

    ``on_change`` is told of another one. ``on_trouble`` is told why a champion cannot serve, once, and what served before
    goes on; and with an empty text, once what serves is what should.

    Raises :class:`InputError` for a first choice that is not there or must not serve.
    """

    def __init__(
        self,
        choice: str,
        registry: Registry,
        *,
        on_change: Callable[[ChosenModel], None],
        on_trouble: Callable[[str], None],
    ) -> None:
        self.serving = choose_model(choice, registry)
        self._following = choice == CHAMPION
        self._registry = registry
        self._on_change = on_change
        self._on_trouble = on_trouble
        self._trouble = ""

    async def choose(self, choice: str) -> ChosenModel:
        """Have another model serve. Raises :class:`InputError` for one that cannot, and then changes nothing."""
        serving = await asyncio.to_thread(choose_model, choice, self._registry)
        self._following = choice == CHAMPION
        self._tell_trouble("")
        self._use(serving)
        return serving

    async def follow(self, *, every_s: float = LOOK_EVERY_S) -> None:
        """Until cancelled, have each new champion serve once it was opened and tried, as long as the champion is chosen."""
        while True:
            await asyncio.sleep(every_s)
            if self._following:
                before = self.serving
                self._take(before, *await self._look())

    async def _look(self) -> tuple[ChosenModel | None, str]:
        """The champion, opened and tried, unless it serves already; or what is wrong with it."""
        try:
            champion = self._registry.champion()
            if (FACTORY if champion is None else champion.id) == self.serving.version:
                return None, ""
            # Opening takes tens of milliseconds, for a large forest more: not on the loop.
            found = await asyncio.to_thread(choose_model, CHAMPION, self._registry)
        except InputError as error:
            return None, str(error)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a new champion, the old one goes on
            return None, f"the champion cannot be opened: {error!r:.200}"
        return (None if found.version == self.serving.version else found), ""

    def _take(self, before: ChosenModel, found: ChosenModel | None, trouble: str) -> None:
        if not self._following or self.serving is not before:  # somebody has chosen meanwhile, which then stays
            return
        self._tell_trouble(trouble)
        if found is not None:
            self._use(found)

    def _use(self, serving: ChosenModel) -> None:
        if serving.version != self.serving.version:
            _LOG.info(event_text("model_changed", before=self.serving.version, now=serving.version))
        self.serving = serving
        self._on_change(serving)

    def _tell_trouble(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self._on_trouble(trouble)
