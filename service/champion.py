"""Which model serves: the registry's champion, a file, or the one that comes with the program."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.factory import factory_model
from models.model_file import Model, load_model
from models.registry import Registry
from service.logs import event_text
from stinger.errors import InputError

FACTORY: Final = "factory"
CHAMPION: Final = "champion"
LOOK_EVERY_S: Final = 0.5
"""How often the registry is looked at: a new champion serves within two seconds, with time to open it."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Serving:
    """A model, and the version under which it is told of."""

    model: Model
    version: str


def choose_model(choice: str, registry: Registry) -> Serving:
    """The model of a choice: ``champion`` (the factory model, as long as there is none), ``factory``, a version, a file.

    Raises :class:`InputError` for one that is not there or must not serve.
    """
    if choice == FACTORY:
        return Serving(factory_model(), FACTORY)
    if choice == CHAMPION:
        champion = registry.champion()
        return (
            Serving(factory_model(), FACTORY)
            if champion is None
            else Serving(load_model(champion.model_path), champion.id)
        )
    path = Path(choice)
    if path.suffix == ".onnx" or path.exists():
        model = load_model(path)
        return Serving(model, f"{path.stem}-{model.sha256[:8]}")
    version = registry.version(choice)
    return Serving(load_model(version.model_path), version.id)


async def follow_champion(
    registry: Registry,
    serving: str,
    use: Callable[[Serving], None],
    complain: Callable[[str], None],
    *,
    every_s: float = LOOK_EVERY_S,
) -> None:
    """Look at the registry until cancelled, and ``use`` each new champion, once it was opened and tried.

    ``serving`` is the version in use at first. Why a champion cannot serve is passed to ``complain``, once, and what served
    before goes on; an empty text, once what serves is the champion again.
    """
    refused = ""
    while True:
        found, problem = None, ""
        await asyncio.sleep(every_s)
        try:
            found = await _other_champion(registry, serving)
        except InputError as error:
            problem = str(error)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a new champion, the old one goes on
            problem = f"the champion cannot be opened: {error!r:.200}"
        if problem != refused:
            refused = problem
            complain(problem)
        if found is not None:
            _LOG.info(event_text("model_changed", before=serving, now=found.version))
            serving = found.version
            use(found)


async def _other_champion(registry: Registry, serving: str) -> Serving | None:
    """The champion, opened and tried, unless it is the version that serves."""
    champion = registry.champion()
    if (FACTORY if champion is None else champion.id) == serving:
        return None
    # Opening takes tens of milliseconds, for a large forest more: not on the loop.
    found = await asyncio.to_thread(choose_model, CHAMPION, registry)
    return None if found.version == serving else found
