"""Passes messages from NATS on as soon as they are parsed.

With nats-py alone, each message becomes an object whose headers are decoded, and goes through a queue and a task: for
messages of 20 samples that is a fifth of all processor time that they cost. This is the only file that uses private
names of nats-py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import ProtocolError
from nats.protocol.parser import MAX_CONTROL_LINE_SIZE, Parser

_END: Final = b"\r\n"
_SIZES: Final = {b"MSG": 1, b"HMSG": 2}
"""How many sizes the first line of a message ends with: that of the whole message, and before it that of its headers."""
_FEWEST_WORDS: Final = 3
"""Words before a message's sizes: its kind, the subject and the id of the subscription; a fourth is where to answer."""
_STATUS: Final = slice(len("NATS/1.0 "), len("NATS/1.0 100"))


class RawMessage(NamedTuple):
    """A message as it was received."""

    subject: str
    reply: str
    """Where to answer; JetStream names position and time of the message there."""
    headers: bytes
    payload: bytes

    @property
    def status(self) -> str:
        """The status of a message that the server sends by itself, such as ``100`` for a heartbeat."""
        return self.headers[_STATUS].decode("ascii", "replace")


Receive = Callable[[RawMessage], None]


class DirectParser(Parser):
    """nats-py's parser, which calls ``receivers``, by the id of their subscription, with their messages at once."""

    def __init__(self, client: Client) -> None:
        self.receivers: dict[bytes, Receive] = {}
        super().__init__(client)

    def reset(self) -> None:
        """Forget what was received in part."""
        super().reset()
        self._left = b""

    async def parse(self, data: bytes = b"") -> None:
        """Process the next bytes. Raises nats-py's ``ProtocolError``, after which nats-py connects again.

        After any other error it would stop reading, and keep the connection.
        """
        try:
            await self._parse(data)
        except (ValueError, TypeError, AttributeError, RecursionError) as error:  # malformed JSON, or no UTF-8
            raise ProtocolError(f"nats: malformed line: {error}") from error

    async def _parse(self, data: bytes) -> None:
        received, at = self._left + data, 0
        while (line_end := received.find(_END, at)) >= 0:
            begin = line_end + len(_END)
            words = received[at:line_end].split()
            sizes = _SIZES.get(words[0]) if words else None  # of a message
            if sizes is not None:
                if len(words) not in (_FEWEST_WORDS + sizes, _FEWEST_WORDS + sizes + 1):
                    raise ProtocolError("nats: malformed MSG")
                end = begin + _number(words[-1])
                if end + len(_END) > len(received):
                    break
                await self._dispatch(words, sizes, received[begin:end])
                at = end + len(_END)
            else:
                self._left = b""
                await super().parse(received[at:begin])
                at = begin
        self._left = received[at:]
        if len(self._left) > MAX_CONTROL_LINE_SIZE and line_end < 0:
            raise ProtocolError("nats: a line without an end")

    async def _dispatch(self, words: list[bytes], sizes: int, content: bytes) -> None:
        """Pass on a message whose first line consists of ``words``, of which the last are ``sizes`` sizes."""
        reply = words[_FEWEST_WORDS] if len(words) > _FEWEST_WORDS + sizes else b""
        payload_at = _number(words[-2]) if sizes > 1 else 0
        headers, payload = content[:payload_at], content[payload_at:]
        receive = self.receivers.get(words[2])
        if receive is None:
            await self.nc._process_msg(_number(words[2]), words[1], reply, payload, headers or None)  # noqa: SLF001
        else:
            # A publisher may use any bytes in a subject, and the server passes them on.
            receive(RawMessage(words[1].decode(errors="replace"), reply.decode(errors="replace"), headers, payload))


def use_direct_parser(client: Client) -> None:
    """Have ``client``, which is not connected yet, parse with a :class:`DirectParser`."""
    client._ps = DirectParser(client)  # noqa: SLF001


@asynccontextmanager
async def direct_subscription(client: Client, subject: str, receive: Receive) -> AsyncIterator[Subscription]:
    """Call ``receive`` with each message of ``subject``; ``client`` has a direct parser. The caller unsubscribes."""
    parser = client._ps  # noqa: SLF001
    assert isinstance(parser, DirectParser)
    subscription = await client.subscribe(subject, cb=_ignore)
    number = str(subscription._id).encode()  # noqa: SLF001
    parser.receivers[number] = receive
    try:
        yield subscription
    finally:
        del parser.receivers[number]


async def _ignore(_message: Msg) -> None:
    """Stand for a callback, as a subscription needs one."""


def _number(word: bytes) -> int:
    if not word.isdigit():
        raise ProtocolError("nats: malformed MSG")
    return int(word)
