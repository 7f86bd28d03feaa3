"""What can go wrong with a broker."""

from __future__ import annotations


class MqttError(ConnectionError):
    """There is no connection, or none any longer; the text is the reason, for a person.

    ``code`` is the broker's reason code if it gave one.
    """

    def __init__(self, reason: str, *, code: int | None = None) -> None:
        super().__init__(reason)
        self.code = code


class NoAnswerError(MqttError):
    """The broker has not answered in time."""


class MessageTooLongError(ValueError):
    """A message is longer than the broker accepts."""


class MessageRefusedError(ValueError):
    """The broker refused a message."""
