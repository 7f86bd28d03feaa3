"""Takes a file that a browser sends as the body of a request, up to a size."""

from __future__ import annotations

from fastapi import Request

from service.web.stored_recordings import MAX_UPLOAD_BYTES
from stinger.errors import InputError
from stinger.quantities import size_text


async def read_upload(request: Request, *, at_most: int = MAX_UPLOAD_BYTES) -> bytes:
    """Return the body of ``request``. Raises :class:`InputError` for one that is longer than ``at_most`` bytes."""
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > at_most:
            raise InputError(f"longer than {size_text(at_most)}")
    return bytes(data)
