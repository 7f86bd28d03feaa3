"""Commands over MQTT: parse a topic and payload into a command, and encode its answer.

A command for one device is published to ``stinger/<device>/command/<name>``, one for all devices to
``stinger/daemon/command/<name>``. Its payload is a JSON object as in ``service/mqtt/schemas/command_<name>.json``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from models.threshold import Threshold, parse_threshold
from service.base.note import NoteText, check_encodable, parse_note
from service.mqtt.channels import COMMANDS
from service.mqtt.messages import encode
from stinger.device_name import DAEMON, DeviceName, parse_device_name
from stinger.errors import InputError, StingerError

MAX_PAYLOAD = 8192
"""Longest payload in bytes: parsing a longer one would take memory and time, at the wish of anyone who may publish."""
_MAX_ID, _MAX_MODEL = 64, 128


class NotServedError(StingerError):
    """A command is for a device that another daemon of the group may serve: that one answers."""


@dataclass(frozen=True, slots=True)
class SetThreshold:
    """Set the smoothed probability from which the wheels are on. Here and below, ``device`` None means all devices."""

    device: DeviceName | None
    threshold: Threshold


@dataclass(frozen=True, slots=True)
class ChooseModel:
    """Score with another model: a version in the registry, or an alias of one."""

    device: DeviceName | None
    model: str


@dataclass(frozen=True, slots=True)
class StartRecording:
    """Start a new recording."""

    device: DeviceName | None


@dataclass(frozen=True, slots=True)
class StopRecording:
    """Close the recording and keep no further samples."""

    device: DeviceName | None


@dataclass(frozen=True, slots=True)
class AddNote:
    """Keep ``text`` with the recording."""

    device: DeviceName | None
    text: NoteText


@dataclass(frozen=True, slots=True)
class ForgetDevice:
    """Clear what the broker retains about a device that is gone; with None, about all that are not served."""

    device: DeviceName | None


Value = TypeVar("Value")
Command = SetThreshold | ChooseModel | StartRecording | StopRecording | AddNote | ForgetDevice


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """What an answer repeats of a command: its name and device, as in the topic, and its id."""

    name: str
    device: str | None
    """Not checked; ``None`` for all devices."""
    id: str | None = None
    """``None`` if the command has none, or as long as its payload has not been read."""


def request_on(topic: str) -> CommandRequest:
    """Return the request that ``topic`` means; it must match the filter ``stinger/+/command/+``."""
    _, device, _, name = topic.split("/")
    return CommandRequest(name, None if device == DAEMON else device)


def read_content(payload: bytes) -> dict[str, Any]:
    """Return the JSON object in ``payload``, an empty one for an empty payload.

    Raises :class:`InputError` for anything else.
    """
    if len(payload) > MAX_PAYLOAD:
        raise InputError(f"{len(payload)} bytes are too many: at most {MAX_PAYLOAD}")
    if not payload.strip():
        return {}
    try:
        content = json.loads(payload, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON: {error}") from error
    if not isinstance(content, dict):
        raise InputError("not a JSON object, such as {}")
    return content


def take_id(content: dict[str, Any]) -> str | None:
    """Remove the id from ``content`` and return it, for the answer.

    Raises :class:`InputError` if it is not a short text.
    """
    identity = content.pop("id", None)
    if identity is not None and not _is_text(identity, 0, _MAX_ID):
        raise InputError(f"id: expected a text of at most {_MAX_ID} characters")
    if identity is None:
        return None
    try:
        check_encodable(identity)
    except InputError as error:
        raise InputError(f"id: {error}") from error
    return str(identity)


def parse_command(request: CommandRequest, content: dict[str, Any]) -> Command:
    """Return the command, and remove its values from ``content``.

    Raises :class:`InputError` for an unknown command and for values that are missing, wrong or unknown.
    """
    reader = _READERS.get(request.name)
    if reader is None:
        raise InputError(f"no command {request.name!r}: expected one of {', '.join(COMMANDS)}")
    command = reader(None if request.device is None else parse_device_name(request.device), content)
    if content:
        raise InputError(f"{request.name} has no {min(content)!r}")
    return command


def answer(request: CommandRequest, result: Mapping[str, Any] | None = None, *, error: str | None = None) -> bytes:
    """Return the payload of the answer to a command: its ``result``, the resulting state, or the ``error``."""
    about = {"ok": error is None, "command": request.name, "device": request.device, "id": request.id}
    outcome = {"result": dict(result or {})} if error is None else {"error": error or "failed"}
    return encode(about | outcome)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")


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


def _forget(device: DeviceName | None, _content: dict[str, Any]) -> Command:
    return ForgetDevice(device)


def _parsed(content: dict[str, Any], key: str, parse: Callable[[object], Value]) -> Value:
    try:
        return parse(content.pop(key, None))
    except InputError as error:
        raise InputError(f"{key}: {error}") from None


def _text(content: dict[str, Any], key: str, longest: int) -> str:
    value = content.pop(key, None)
    if not _is_text(value, 1, longest):
        raise InputError(f"{key}: expected a text of 1 to {longest} characters")
    return str(value)


def _is_text(value: object, shortest: int, longest: int) -> bool:
    return isinstance(value, str) and shortest <= len(value) <= longest


_READERS: dict[str, Callable[[DeviceName | None, dict[str, Any]], Command]] = {
    "set_threshold": _set_threshold,
    "choose_model": _choose_model,
    "start_recording": _start_recording,
    "stop_recording": _stop_recording,
    "note": _note,
    "forget": _forget,
}
