"""Find the data that the models in the registry were trained and measured on.

Models name it by hashes and file names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from models.model_file import MODEL_MAX_BYTES
from models.model_meta import META_KEY
from models.onnx_wire import metadata_value
from models.registry import Registry
from models.version import Version
from stinger.errors import FileError, InputError
from stinger.files import read_bytes

_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ReferencedData:
    """The strings in metadata and reports of models: ``hashes`` are SHA-256 in hex, ``texts`` all others."""

    hashes: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()


class ModelReferences:
    """Reads which data the models of ``registry`` refer to; a version never changes, so each is read once."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: dict[str, ReferencedData] = {}

    def read(self) -> ReferencedData:
        """Return what all versions refer to. Raises :class:`FileError` if one cannot be read: it may refer to any data."""
        versions = self._registry.versions()
        self._known = {version.id: self._known.get(version.id) or _references_of(version) for version in versions}
        parts = self._known.values()
        return ReferencedData(
            frozenset().union(*(part.hashes for part in parts)), frozenset().union(*(part.texts for part in parts))
        )


def _references_of(version: Version) -> ReferencedData:
    try:
        text = metadata_value(read_bytes(version.model_path, at_most=MODEL_MAX_BYTES), META_KEY)
        document = json.loads(text) if text else None
    except (ValueError, RecursionError) as error:
        raise FileError(version.model_path, "has metadata that is not JSON") from error
    except FileError:
        raise
    except InputError as error:
        raise FileError(version.model_path, str(error)) from error
    texts = frozenset(_texts([document, version.report()]))
    hashes = frozenset(text for text in texts if _SHA256.fullmatch(text))
    return ReferencedData(hashes, texts - hashes)


def _texts(value: Any) -> Iterator[str]:
    """Yield every string in a JSON document, keys included."""
    match value:
        case str():
            yield value
        case dict():
            for key, inner in value.items():
                yield key
                yield from _texts(inner)
        case list():
            for inner in value:
                yield from _texts(inner)
