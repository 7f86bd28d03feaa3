"""The parser of messages from NATS, beside nats-py's own; and the private names of nats-py."""

from __future__ import annotations

import inspect
import re
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.aio.client import Client
from nats.aio.subscription import Subscription
from nats.errors import ProtocolError
from nats.protocol.parser import Parser

from service.sources import nats_direct
from service.sources.nats_direct import DirectParser, RawMessage

DIRECT, OTHER = 7, 8


class Noting:
    """Stands for a client: notes what a parser passes on."""

    def __init__(self) -> None:
        self.noted: list[Any] = []

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes | None) -> None:
        self.noted.append((sid, subject.decode(), reply.decode(), headers or b"", data))

    async def _process_ping(self) -> None:
        self.noted.append("ping")

    async def _process_pong(self) -> None:
        self.noted.append("pong")

    async def _process_err(self, text: str) -> None:
        self.noted.append(text)

    async def _process_info(self, info: dict[str, Any]) -> None:
        self.noted.append(info)

    def receive(self, message: RawMessage) -> None:
        self.noted.append((DIRECT, *message))


def direct_parser(client: Noting) -> DirectParser:
    parser = DirectParser(cast(Client, client))
    parser.receivers[str(DIRECT).encode()] = client.receive
    return parser


def message(sid: int, subject: str, reply: str, headers: bytes, payload: bytes) -> bytes:
    words = [subject, str(sid), reply] if reply else [subject, str(sid)]
    sizes = [len(headers), len(headers) + len(payload)] if headers else [len(payload)]
    name = "HMSG" if headers else "MSG"
    return " ".join([name, *words, *map(str, sizes)]).encode() + b"\r\n" + headers + payload + b"\r\n"


messages = st.builds(
    message,
    st.sampled_from([DIRECT, OTHER]),
    st.sampled_from(["a", "hall.3.stinger.b1.samples"]),
    st.sampled_from(["", "$JS.ACK.S.c.1.5.5.1800000000000000000.0"]),
    st.sampled_from([b"", b"NATS/1.0 100 Idle Heartbeat\r\n\r\n", b"NATS/1.0\r\na: b\r\n\r\n"]),
    st.binary(max_size=60) | st.sampled_from([b"\r\n", b"MSG a 7 1\r\nx\r\n"]),
)
lines = st.sampled_from(
    [b"PING\r\n", b"PONG\r\n", b"+OK\r\n", b"-ERR 'Slow Consumer'\r\n", b'INFO {"server_id":"MSG a 7 1"}\r\n']
)


@given(parts=st.lists(messages | lines, max_size=12), cuts=st.lists(st.integers(0, 400), max_size=8))
async def test_any_bytes_in_any_pieces_give_what_the_librarys_parser_gives(parts: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(parts)
    bounds = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    ours, theirs = Noting(), Noting()
    parser, reference = direct_parser(ours), Parser(theirs)
    for begin, end in pairwise(bounds):
        await parser.parse(stream[begin:end])
    await reference.parse(stream)
    assert ours.noted == theirs.noted


@pytest.mark.parametrize(
    "text", [b"MSG a 7\r\n", b"MSG a 7 x\r\n", b"HMSG a 7 r 3 y\r\n", b"MSG\r\n", b"MSG a b c d e 1\r\nx\r\n", b"?\r\n"]
)
async def test_what_is_no_message_is_refused(text: bytes) -> None:
    with pytest.raises(ProtocolError):
        await direct_parser(Noting()).parse(text)


async def test_line_without_an_end_does_not_fill_the_memory() -> None:
    parser = direct_parser(Noting())
    await parser.parse(b"x" * 4096)
    with pytest.raises(ProtocolError):
        await parser.parse(b"x")


async def test_after_a_reset_what_was_received_in_part_is_forgotten() -> None:
    client = Noting()
    parser = direct_parser(client)
    await parser.parse(b"MSG a 7 10\r\nabc")
    parser.reset()
    await parser.parse(b"PING\r\n")
    assert client.noted == ["ping"]


def test_status_is_that_of_the_first_line() -> None:
    assert RawMessage("", "", b"NATS/1.0 408 Request Timeout\r\n\r\n", b"").status == "408"
    assert RawMessage("", "", b"", b"").status == ""


def test_private_names_of_the_library_are_these_and_exist() -> None:
    used = set(re.findall(r"\b(?:client|subscription|self\.nc)\.(_[a-z]\w*)", inspect.getsource(nats_direct)))
    assert used == {"_ps", "_id", "_process_msg"}
    client = Client()
    assert isinstance(client._ps, Parser)
    assert list(inspect.signature(client._process_msg).parameters) == ["sid", "subject", "reply", "data", "headers"]
    assert Subscription(cast(Client, None), 3)._id == 3
    assert inspect.iscoroutinefunction(Parser.parse)


async def test_a_subject_that_is_not_utf_8_is_passed_on() -> None:
    client = Noting()
    await direct_parser(client).parse(b"MSG group.0.\xff.samples 7 2\r\nhi\r\n")
    assert client.noted == [(DIRECT, "group.0.\ufffd.samples", "", b"", b"hi")]


@pytest.mark.parametrize("line", [b"INFO {\r\n", b"INFO {\xff}\r\n", b"MSG x y 1\r\na\r\n", b"MSG x 1 -1\r\n"])
async def test_a_malformed_line_is_the_error_after_which_nats_py_connects_again(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        await direct_parser(Noting()).parse(line)
