"""Decoders of text: names, addresses, quantities, options, commands over MQTT, and the events that ``watch`` shows."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

from rich.console import Console

from benchmarks.fuzzing.decoder import JSON_TOKENS, NUMBERS, Decoder
from hil.emulated.faults import parse_fault
from models.spec import parse_spec
from service.config.broker_address import parse_broker_url
from service.config.loading import load_config
from service.config.source_url import parse_source_urls
from service.config.topic_root import TopicRoot, parse_topic_root
from service.mqtt.channels import is_command
from service.mqtt.commands import answer, parse_command, read_content, request_on, take_id
from service.mqtt.messages import OutgoingMessage
from service.mqtt.retained_states import RetainedStates
from service.watch.view import View
from stinger.device_name import device_of_folder, folder_of_device, make_device_name, parse_device_name
from stinger.errors import InputError, StingerError
from stinger.quantities import parse_duration, parse_size

_CONTROL = frozenset(map(chr, [*range(0x20), *range(0x7F, 0xA0)])) - {"\n"}


def text_decoders() -> list[Decoder]:
    """Return all of them."""
    urls = (
        b"serial:///dev/ttyACM0?baud=115200&device=left",
        b"tcp://[::1]:5000",
        b"replay:a%20b.bin?speed=0&loop=2",
        b"mqtt:",
    )
    url_tokens = (b"%", b"%00", b"?", b"&", b"=", b"@", b"[", b"]", b"//", b":", b"#", b"\xe2\x80\xae", *NUMBERS)
    brokers = (b"embedded:0", b"mqtt://user@localhost:1883", b"mqtts://[fe80::1%25eth0]:8883/", b"mqtt://a:b@host")
    names = (b"left", b"COM3", b"COM3=", b"daemon", b"dev-serial-by-id", b"x" * 64)
    environment = (
        b"STINGER_THRESHOLD=0.5\nSTINGER_SOURCES=mqtt:\nSTINGER_BROKER_URL=embedded",
        b"STINGER_LOG_LEVEL=info",
    )
    return [
        Decoder("device and folder names", names, _name, 8, (b"=", b"/", b"..", b"\0", "ü".encode())),
        Decoder("source URLs", urls, _text(lambda text: parse_source_urls(text.split("\n"))), 8, url_tokens),
        Decoder("broker URLs", brokers, _text(parse_broker_url), 6, url_tokens),
        Decoder("durations and sizes", (b"90d", b"1.5GB", b"12h"), _quantity, 4, NUMBERS),
        Decoder("model names", (b"mlp:rich", b"logreg:summary"), _text(parse_spec), 2, (b":", b" ")),
        Decoder(
            "faults of the bench",
            (b"drop:rate=0.05,start=10,for=5",),
            _text(parse_fault),
            3,
            (b",", b"=", b":", *NUMBERS),
        ),
        Decoder("environment variables", environment, _text(_environment), 3, (b"\nSTINGER_", *NUMBERS)),
        Decoder("commands over MQTT", _commands(), _command, 10, JSON_TOKENS, max_bytes=9000),
        Decoder("topic roots", (b"stinger", b"halls/east"), _text(parse_topic_root), 1, (b"/", b"+", b"#", b"\0")),
        Decoder("retained states at the broker", example_events(), _take_retained, 3, JSON_TOKENS),
        Decoder("events that watch shows", example_events(), _Watch().feed, 8, JSON_TOKENS),
    ]


def _text(parse: Callable[[str], object]) -> Callable[[bytes], object]:
    """Return ``parse`` for bytes as a command line brings them: what is not UTF-8 becomes half of a surrogate pair."""
    return lambda data: parse(data.decode(errors="surrogateescape"))


def _name(data: bytes) -> None:
    text = data.decode(errors="surrogateescape")
    made = make_device_name(text)
    assert parse_device_name(made) == made
    device_of_folder(text)
    assert device_of_folder(folder_of_device(parse_device_name(text))) == text


def _quantity(data: bytes) -> None:
    text = data.decode(errors="surrogateescape")
    for parse in (parse_duration, parse_size):
        try:
            str(parse(text))
        except InputError:
            continue


def _environment(text: str) -> None:
    load_config(None, dict(line.partition("=")[::2] for line in text.split("\n")), {})


def _commands() -> tuple[bytes, ...]:
    """Return commands: the topic, a line end, and the payload."""
    return (
        b'stinger/left/command/set_threshold\n{"threshold": 0.4, "id": "a1"}',
        b'stinger/daemon/command/choose_model\n{"model": "champion"}',
        b"stinger/daemon/command/start_recording\n",
        b'stinger/left/command/note\n{"text": "left-handed \\u00fc", "id": null}',
    )


def _command(data: bytes) -> None:
    topic, _, payload = data.partition(b"\n")
    name = topic.decode(errors="replace").replace("\0", "")  # what MQTT allows
    if not is_command(name):
        return
    request = request_on(name)
    try:
        content = read_content(payload)
        take_id(content)
        parse_command(request, content)
    except StingerError as error:
        json.loads(answer(request, error=str(error)))
        raise


def example_events() -> tuple[bytes, ...]:
    """Return events: the topic, a line end, and the payload."""
    time = '"time": "2026-01-31T17:02:03.456Z", "unix_s": 1769878923.456'
    events = {
        "left/shot": f'{{{time}, "device": "left", "id": "1", "accepted": true, "wheels_on": true, '
        '"lead_ms": 120.5, "peak_probability": 0.9}',
        "left/spinup": f'{{{time}, "device": "left", "device_ms": 1200, "state": "on", '
        '"probability": 0.7, "with_shot": null, "duration_ms": null}',
        "left/false_spinup": f'{{{time}, "duration_ms": 800.25, "peak_probability": 0.7}}',
        "left/telemetry": f'{{{time}, "probability": 0.1, "wheels_on": false, "rate_hz": 99.9, "latency_p50_ms": 1.2, '
        '"latency_p99_ms": 2.4, "gaps": 0, "lost": 1, "link": "streaming"}',
        "left/scores": '{"first_device_ms": 10, "period_ms": 10, "probabilities": [0.1, 0.5, null, 0.9, 1.0, 0.2]}',
        "right/link": f'{{{time}, "device": "right", "state": "silent", "reason": "no sample for 2 s", "counters": {{"samples": 1}}}}',
        "daemon/status": f'{{{time}, "state": "online", "version": "0.1", "alarm": "recorder: disk full"}}',
    }
    return tuple(f"stinger/{topic}\n{payload}".encode() for topic, payload in events.items())


class _NoPublisher:
    """Takes messages, and publishes none."""

    def __init__(self) -> None:
        self.taken = 0

    def has_retained(self, topic: str) -> bool:
        del topic
        return False

    def put(self, message: OutgoingMessage) -> None:
        assert message.payload
        self.taken += 1


def _take_retained(data: bytes) -> None:
    topic, _, payload = data.partition(b"\n")
    publisher: Any = _NoPublisher()
    RetainedStates(publisher, lambda: (), quiet_s=0, root=TopicRoot()).take(topic.decode(errors="replace"), payload)
    assert publisher.taken <= 1


class _Watch:
    """Feeds one view after another, and draws it now and then: no control character may reach the terminal."""

    _DRAWN_EVERY = 50
    _RESTARTED_EVERY = 500

    def __init__(self) -> None:
        self._fed = 0
        self._view = View("mqtt://localhost")

    def feed(self, data: bytes) -> None:
        self._fed += 1
        if self._fed % self._RESTARTED_EVERY == 0:
            self._view = View("mqtt://localhost")
        topic, _, payload = data.partition(b"\n")
        line = self._view.feed(topic.decode(errors="replace"), payload)
        assert not _CONTROL.intersection(line or ""), "a control character in a line for the terminal"
        if self._fed % self._DRAWN_EVERY == 0:
            output = io.StringIO()
            Console(file=output, width=100).print(self._view.picture(100))
            assert not _CONTROL.intersection(output.getvalue()), "a control character in the picture for the terminal"
