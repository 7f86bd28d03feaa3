"""What may be asked of the daemon over MQTT: from topic and payload to checked values, and from outcomes to answers.

A command to a device comes on ``stinger/<device>/command/<name>``, one to all on ``stinger/daemon/command/<name>``, with a
JSON object as in ``service/mqtt/schemas/command_<name>.json``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from models.threshold import Threshold, parse_threshold
from service.base.note import NoteText, parse_note
from service.mqtt.channels import COMMANDS
from service.mqtt.messages import encode
from stinger.device_name import DAEMON, DeviceName, parse_device_name
from stinger.errors import InputError

MAX_PAYLOAD = 8192
"""Bytes; whoever sends more wants to fill our memory."""
_MAX_ID, _MAX_MODEL = 64, 128


@dataclass(frozen=True, slots=True)
class SetThreshold:
    """Spin the wheels from another smoothed probability on. ``device`` is ``None`` for all of them, here and below."""

    device: DeviceName | None
    threshold: Threshold


@dataclass(frozen=True, slots=True)
class ChooseModel:
    """Score with another model: a version in the registry, or an alias of one."""

    device: DeviceName | None
    model: str


@dataclass(frozen=True, slots=True)
class StartRecording:
    """Begin a new recording."""

    device: DeviceName | None


@dataclass(frozen=True, slots=True)
class StopRecording:
    """Close the recording and keep no more samples."""

    device: DeviceName | None


@dataclass(frozen=True, slots=True)
class AddNote:
    """Keep ``text`` with the recording."""

    device: DeviceName | None
    text: NoteText


Value = TypeVar("Value")
Command = SetThreshold | ChooseModel | StartRecording | StopRecording | AddNote


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """Where a command came and, once its payload could be read, the id that its answer repeats."""

    name: str
    device: str | None
    """As in the topic: not checked."""
    id: str | None = None


def request_on(topic: str) -> CommandRequest:
    """Which command of whom ``topic`` means; it matches the filter ``stinger/+/command/+``."""
    _, device, _, name = topic.split("/")
    return CommandRequest(name, None if device == DAEMON else device)


def read_content(payload: bytes) -> dict[str, Any]:
    """The JSON object in ``payload``; an empty payload is an empty one. Raises :class:`InputError` for anything else."""
    if len(payload) > MAX_PAYLOAD:
        raise InputError(f"{len(payload)} bytes are too many: at most {MAX_PAYLOAD}")
    if not payload.strip():
        return {}
    try:
        content = json.loads(payload, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON: {error}") from error
    if not isinstance(content, dict):
        raise InputError("not a JSON object: write for example {}")
    return content


def take_id(content: dict[str, Any]) -> str | None:
    """Take the id that the answer is to repeat out of ``content``. Raises :class:`InputError` if it is none."""
    identity = content.pop("id", None)
    if identity is not None and not _is_text(identity, 0, _MAX_ID):
        raise InputError(f"id: give a text of at most {_MAX_ID} characters")
    return None if identity is None else str(identity)


def parse_command(asked: CommandRequest, content: dict[str, Any]) -> Command:
    """The command; takes out of ``content`` what belongs to it. Raises :class:`InputError` for what is no such command."""
    reader = _READERS.get(asked.name)
    if reader is None:
        raise InputError(f"no command {asked.name!r}: there are {', '.join(COMMANDS)}")
    command = reader(None if asked.device is None else parse_device_name(asked.device), content)
    if content:
        raise InputError(f"{asked.name} has no {min(content)!r}")
    return command


def answer(asked: CommandRequest, result: Mapping[str, Any] | None = None, *, error: str | None = None) -> bytes:
    """The payload that says what came of a command: what is so now, or else why it was not done."""
    said = {"ok": error is None, "command": asked.name, "device": asked.device, "id": asked.id}
    outcome = {"result": dict(result or {})} if error is None else {"error": error or "failed"}
    return encode(said | outcome)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")


def _set_threshold(device: DeviceName | None, content: dict[str, Any]) -> Command:
    return SetThreshold(device, _parsed(content, "threshold", parse_threshold))


def _choose_model(device: DeviceName | None, content: dict[str, Any]) -> Command:
    return ChooseModel(device, _text(content, "model", _MAX_MODEL))


def _start_recording(device: DeviceName | None, _content: dict[str, Any]) -> Command:
    return StartRecording(device)


def _stop_recording(device: DeviceName | None, _content: dict[str, Any]) -> Command:
    return StopRecording(device)


def _note(device: DeviceName | None, content: dict[str, Any]) -> Command:
    return AddNote(device, _parsed(content, "text", parse_note))


def _parsed(content: dict[str, Any], key: str, parse: Callable[[object], Value]) -> Value:
    try:
        return parse(content.pop(key, None))
    except InputError as error:
        raise InputError(f"{key}: {error}") from None


def _text(content: dict[str, Any], key: str, longest: int) -> str:
    value = content.pop(key, None)
    if not _is_text(value, 1, longest):
        raise InputError(f"{key}: give a text of 1 to {longest} characters")
    return str(value)


def _is_text(value: object, shortest: int, longest: int) -> bool:
    return isinstance(value, str) and shortest <= len(value) <= longest


_READERS: dict[str, Callable[[DeviceName | None, dict[str, Any]], Command]] = {
    "set_threshold": _set_threshold,
    "choose_model": _choose_model,
    "start_recording": _start_recording,
    "stop_recording": _stop_recording,
    "note": _note,
}
