"""Turn the errors of a storage's library into one line for a person."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from stinger.errors import FileError, StingerError, UnavailableError
from stinger.storage_url import StorageUrl


class NotThereError(FileError):
    """There is no such bucket, folder or file in the storage."""


class TakenError(FileError):
    """A file that was to be created exists already."""


_NO_BUCKET: Final = "NoSuchBucket"
_NO_CREDENTIALS: Final = frozenset(
    {
        "NoCredentialsError",
        "PartialCredentialsError",
        "CredentialRetrievalError",
        "ProfileNotFound",
        "NoAuthTokenError",
        "UnauthorizedSSOTokenError",
        "TokenRetrievalError",
        "SSOTokenLoadError",
        "DefaultCredentialsError",
    }
)
_OFFLINE: Final = frozenset(
    {
        "EndpointConnectionError",
        "ConnectTimeoutError",
        "ConnectionClosedError",
        "ReadTimeoutError",
        "ProxyConnectionError",
        "SSLError",
        "HTTPClientError",
        "ClientConnectorError",
        "ClientConnectionError",
        "ServerDisconnectedError",
        "ClientPayloadError",
        "FSTimeoutError",
        "ResponseParserError",
    }
)
_BUSY: Final = frozenset(
    {"SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "503", "500", "502", "504"}
)
_EXISTS: Final = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
_LONGEST: Final = 200


@contextmanager
def storage_errors(url: StorageUrl) -> Iterator[None]:
    """Turn any error of the library that works on ``url`` in the block into an error of this project.

    These are :class:`NotThereError`, :class:`TakenError`, :class:`UnavailableError` if the storage cannot be reached
    now, and :class:`FileError` for anything else, such as missing credentials.
    """
    try:
        yield
    except StingerError:
        raise
    except Exception as error:  # each library for storage has errors of its own
        raise _translated(url, error) from error


def _translated(url: StorageUrl, error: Exception) -> StingerError:
    names = {base.__name__ for base in type(error).__mro__}
    code = _code(error)
    if isinstance(error, FileExistsError) or code in _EXISTS:
        return TakenError(url.text, "exists already")
    if code == _NO_BUCKET:
        return NotThereError(url.text, "there is no such bucket")
    if isinstance(error, FileNotFoundError):
        return NotThereError(url.text, "there is no such file or folder")
    if code in _BUSY or names & _OFFLINE or isinstance(error, ConnectionError | TimeoutError):
        return UnavailableError(f"{url}: the storage cannot be reached: {_reason(error)}")
    problem = _reason(error)
    if names & _NO_CREDENTIALS:
        problem = "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile"
    elif isinstance(error, PermissionError):
        problem = f"the storage refuses access ({problem}): check the credentials and their rights"
    return FileError(url.text, problem)


def _code(error: Exception) -> str:
    """Return the code with which an S3 server answered; empty for any other error."""
    for one in (error, error.__cause__):
        response: Any = getattr(one, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
    return ""


def _reason(error: Exception) -> str:
    text = " ".join((getattr(error, "strerror", None) or str(error)).split()).partition(", Request ID")[0]
    text = re.sub(r'\?[^" ]*"', '"', text)  # the parameters of a request, after its URL
    return text[:_LONGEST] or type(error).__name__
