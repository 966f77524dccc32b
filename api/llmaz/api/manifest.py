"""Read a manifest into a frozen dataclass and write it back: only here raw dicts are looked at.

A dataclass is its own codec: a field `node_selector` is the key `nodeSelector`, a field without a
default is required, `X | None` may be absent. A key that no field names is refused with its path,
unless the class says `LENIENT` (metadata, which the API server extends). Writing leaves out what
equals its default. What a field's metadata may say stands in fields.py.
"""

import dataclasses
import enum
import functools
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from llmaz.api.fields import STRINGLY, key_of, named
from llmaz.api.reading import reader
from llmaz.api.wire import (
    PLAIN,
    Json,
    Manifest,
    ManifestError,
    Scalar,
    UnknownFieldError,
    at,
    is_scalar,
    members,
)

__all__ = [
    "STRINGLY",
    "Json",
    "Manifest",
    "ManifestError",
    "Scalar",
    "UnknownFieldError",
    "at",
    "decode",
    "digest",
    "encode",
    "key_of",
    "named",
]

T = TypeVar("T")


def decode(cls: type[T], value: object, path: str = "") -> T:
    """Read a manifest's value as `cls`; raise ManifestError with the path of what is wrong."""
    return cast("T", reader(cast("type", cls))(value, path))


def encode(value: object) -> Json:
    """Write a value as JSON: the inverse of `decode`, without fields that equal their defaults."""
    kind: type = type(value)
    return cast("Json", value) if kind in PLAIN else _writer(kind)(value)


@functools.cache
def _writer(kind: type) -> Callable[[Any], Json]:
    """Return what writes values of a type: found out once, since a decision writes thousands."""
    if dataclasses.is_dataclass(kind):
        return cast("type[Scalar]", kind).to_json if is_scalar(kind) else _write_fields
    for base, write in _WRITERS:
        if issubclass(kind, base):
            return write
    return _write_as_it_is


def _write_fields(value: object) -> Manifest:
    kind: type = type(value)
    found: Manifest = {}
    for member in members(kind):
        item = getattr(value, member.name)
        if item is not member.unwritten and item != member.unwritten:
            found[member.key] = item if type(item) in PLAIN else encode(item)
    return found


def _write_moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _write_value(value: enum.Enum) -> Json:
    return cast("Json", value.value)


def _write_members(value: Mapping[object, object]) -> Manifest:
    return {str(key): encode(item) for key, item in value.items()}


def _write_items(value: Iterable[object]) -> list[Json]:
    return [encode(item) for item in value]


def _write_sorted(value: Iterable[str]) -> list[Json]:
    return [encode(item) for item in sorted(value)]


def _write_as_it_is(value: object) -> Json:
    return cast("Json", value)


_WRITERS: tuple[tuple[type, Callable[[Any], Json]], ...] = (
    (datetime, _write_moment),
    (enum.Enum, _write_value),
    (Mapping, _write_members),
    (tuple, _write_items),
    (list, _write_items),
    (frozenset, _write_sorted),
    (set, _write_sorted),
)


def digest(value: Json) -> str:
    """Return 16 hex digits that differ when the value does."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
