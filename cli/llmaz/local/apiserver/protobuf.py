"""Bodies in protobuf, which a stock kubectl sends for a few kinds (`kubectl create secret`).

Only requests are read; answers are JSON, which every client that sends protobuf accepts as well.
A kind whose messages are not known here is refused with a 415.
"""

import base64
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from llmaz.local.objects.values import Json, Object

MAGIC = b"k8s\x00"  # before the envelope that names the object's kind
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

Form = Literal["text", "bytes", "int", "bool", "time", "int-or-string", "quantity"]


class ProtobufError(ValueError):
    """A body that is no message, or one of a kind that is not known here."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a message: its name in JSON, and what it holds, once, repeatedly or as a map."""

    name: str
    holds: "Form | Message"
    many: Literal["", "list", "map"] = ""


Message = Mapping[int, Field]


def decoded(body: bytes, kinds: Mapping[tuple[str, str], Message]) -> Object:
    """Return the object in a body; `kinds` are the known messages by API version and kind."""
    if not body.startswith(MAGIC):
        raise ProtobufError("the body lacks the prefix of a Kubernetes protobuf message")
    envelope = _fields(body[len(MAGIC) :])
    type_: Object = {}
    raw = b""
    for number, value in envelope:
        if number == 1 and isinstance(value, bytes):
            type_ = _message(value, _TYPE)
        elif number == 2 and isinstance(value, bytes):
            raw = value
    version, kind = type_.get("apiVersion", ""), type_.get("kind", "")
    # Options have the version of whatever they are about.
    message = kinds.get(("v1" if kind == "DeleteOptions" else version, kind))
    if message is None:
        raise ProtobufError(f"{kind} of {version} is not read in protobuf")
    return type_ | _message(raw, message)


_TYPE: Message = {1: Field("apiVersion", "text"), 2: Field("kind", "text")}
_TIME: Message = {1: Field("seconds", "int"), 2: Field("nanos", "int")}
_QUANTITY: Message = {1: Field("text", "text")}
_INT_OR_STRING: Message = {
    1: Field("type", "int"),
    2: Field("number", "int"),
    3: Field("text", "text"),
}


def _message(data: bytes, message: Message) -> Object:
    found: Object = {}
    for number, raw in _fields(data):
        field = message.get(number)
        if field is None:
            continue
        if field.many == "map" and isinstance(raw, bytes):
            entry = _message(raw, {1: Field("key", "text"), 2: Field("value", field.holds)})
            found.setdefault(field.name, {})[entry.get("key", "")] = entry.get("value", "")
        elif field.many == "list":
            found.setdefault(field.name, []).append(_value(raw, field.holds))
        else:
            found[field.name] = _value(raw, field.holds)
    return {key: value for key, value in found.items() if value not in ("", {}, None)}


def _value(raw: bytes | int, holds: "Form | Message") -> Json:
    if isinstance(raw, int):
        return bool(raw) if holds == "bool" else _signed(raw)
    if holds == "text":
        return raw.decode()
    if holds == "bytes":
        return base64.b64encode(raw).decode()
    if holds == "time":
        seconds = _message(raw, _TIME).get("seconds")
        moment = None if seconds is None else datetime.fromtimestamp(seconds, UTC)
        return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    if holds == "quantity":
        return _message(raw, _QUANTITY).get("text", "")
    if holds == "int-or-string":
        either = _message(raw, _INT_OR_STRING)
        return either.get("text", "") if either.get("type") else either.get("number", 0)
    if isinstance(holds, str):
        raise ProtobufError(f"a number was expected where {len(raw)} bytes are")
    return _message(raw, holds)


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Yield the fields of a message as they are written: number, and bytes or a number."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, position = _varint(data, position)
            yield number, value
        elif kind == _BYTES:
            length, position = _varint(data, position)
            yield number, _slice(data, position, length)
            position += length
        elif kind in (_FIXED64, _FIXED32):
            length, form = (8, "<Q") if kind == _FIXED64 else (4, "<I")
            yield number, struct.unpack(form, _slice(data, position, length))[0]
            position += length
        else:
            raise ProtobufError(f"field {number} is of an unknown wire type")


def _slice(data: bytes, start: int, length: int) -> bytes:
    if start + length > len(data):
        raise ProtobufError("the message ends within a field")
    return data[start : start + length]


def _varint(data: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while position < len(data) and shift < 64:
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
        shift += 7
    raise ProtobufError("the message ends within a number")


def _signed(number: int) -> int:
    return number - (1 << 64) if number >= 1 << 63 else number
