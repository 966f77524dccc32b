"""Read a manifest into a frozen dataclass and write it back: only here raw dicts are looked at.

A dataclass is its own codec: a field `node_selector` is the key `nodeSelector`, a field without a
default is required, `X | None` may be absent. A key that no field names is refused with its path,
unless the class says `LENIENT` (metadata, which the API server extends). Writing leaves out what
equals its default. What a field's metadata may say stands in fields.py.
"""

import dataclasses
import enum
import functools
import types
import typing
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import ClassVar, Protocol, TypeAlias, TypeVar, cast, runtime_checkable

from llmaz.api.fields import (
    STRINGLY,
    Bounds,
    has_default,
    key_of,
    named,
    older_key_of,
    older_key_wins,
)

__all__ = [
    "STRINGLY",
    "Json",
    "Manifest",
    "ManifestError",
    "Scalar",
    "at",
    "decode",
    "encode",
    "key_of",
    "named",
]

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Manifest: TypeAlias = "dict[str, Json]"
T = TypeVar("T")


class ManifestError(ValueError):
    """A manifest that can't be read: `path` says where (`spec.source.uri`), `reason` what."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.path = path
        self.reason = reason


@runtime_checkable
class Scalar(Protocol):
    """A value that is one JSON scalar on the wire, such as a quantity."""

    @classmethod
    def from_json(cls, value: Json, path: str) -> "Scalar": ...

    def to_json(self) -> Json: ...


@runtime_checkable
class Upgraded(Protocol):
    """A class whose older manifests were built otherwise: `upgraded` gives them today's shape."""

    @classmethod
    def upgraded(cls, members: dict[str, object], path: str) -> dict[str, object]: ...


def decode(cls: type[T], value: object, path: str = "") -> T:
    """Read a manifest's value as `cls`; raise ManifestError with the path of what is wrong."""
    return cast("T", _decode(cls, value, path, stringly=False))


def encode(value: object) -> Json:
    """Write a value as JSON: the inverse of `decode`, without fields that equal their defaults."""
    if isinstance(value, Scalar):
        return value.to_json()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            key_of(field): encode(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if not _is_default(field, getattr(value, field.name))
        }
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, enum.Enum):
        return cast("Json", value.value)
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    if isinstance(value, (frozenset, set)):
        return [encode(item) for item in sorted(value)]
    return cast("Json", value)


def at(path: str, key: str | int) -> str:
    """Extend a path by a key or an index: `spec` and `flavors`, `spec.flavors` and 1."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def _decode(cls: object, value: object, path: str, *, stringly: bool) -> object:
    origin = typing.get_origin(cls)
    if origin in (types.UnionType, typing.Union):
        return _decode_union(typing.get_args(cls), value, path, stringly=stringly)
    if origin is tuple or origin is frozenset:
        items = _expect(list, value, path)
        item_type = typing.get_args(cls)[0]
        read = (
            _decode(item_type, item, at(path, i), stringly=stringly) for i, item in enumerate(items)
        )
        return tuple(read) if origin is tuple else frozenset(read)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        members = _expect(dict, value, path)
        value_type = typing.get_args(cls)[1]
        return {
            str(key): _decode(value_type, item, at(path, str(key)), stringly=stringly)
            for key, item in members.items()
        }
    if origin is typing.Literal:
        return _one_of(typing.get_args(cls), value, path)
    if cls is str and stringly:
        return _as_text(value, path)
    if isinstance(cls, type):
        return _decode_class(cls, value, path)
    return value


def _decode_class(cls: type, value: object, path: str) -> object:
    if issubclass(cls, Scalar):
        return cls.from_json(cast("Json", value), path)
    if dataclasses.is_dataclass(cls):
        return _decode_fields(cls, _expect(dict, value, path), path)
    if issubclass(cls, enum.Enum):
        _one_of(tuple(member.value for member in cls), value, path)
        return cls(value)
    if cls is datetime:
        return _moment(value, path)
    if cls is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return _expect(cls, value, path) if cls in _WORDS else value


def _decode_union(
    options: tuple[object, ...], value: object, path: str, *, stringly: bool
) -> object:
    if value is None and type(None) in options:
        return None
    choices = [option for option in options if option is not type(None)]
    if len(choices) == 1:
        return _decode(choices[0], value, path, stringly=stringly)
    for choice in choices:
        if isinstance(choice, type) and isinstance(value, choice) and not isinstance(value, bool):
            return value
    raise ManifestError(path, f"must be {' or '.join(_WORDS.get(c, str(c)) for c in choices)}")


def _decode_fields(cls: type, members: dict[str, object], path: str) -> object:
    if issubclass(cls, Upgraded):
        members = cls.upgraded(members, path)
    fields = dataclasses.fields(cls)
    if not getattr(cls, "LENIENT", False):
        _refuse_unknown(fields, members, path)
    types_of = _type_hints(cls)
    arguments: dict[str, object] = {}
    for field in fields:
        key = _key_used(field, members, path)
        if members.get(key) is None:
            if not has_default(field):
                raise ManifestError(at(path, key), "is required")
            continue
        read = _decode(
            types_of[field.name], members[key], at(path, key), stringly="stringly" in field.metadata
        )
        if (problem := Bounds.of(field).problem(read)) is not None:
            raise ManifestError(at(path, key), problem)
        arguments[field.name] = read
    construct = cast("Callable[..., object]", cls)
    return construct(**arguments)


def _refuse_unknown(
    fields: tuple["dataclasses.Field[object]", ...], members: dict[str, object], path: str
) -> None:
    known = {key_of(field) for field in fields}
    older = {older_key_of(field) for field in fields}
    for key in members:
        if key not in known and key not in older:
            names = ", ".join(sorted(known))
            raise ManifestError(at(path, str(key)), f"unknown field; known are {names}")


def _key_used(field: "dataclasses.Field[object]", members: dict[str, object], path: str) -> str:
    key, older = key_of(field), older_key_of(field)
    if older is None or members.get(older) is None:
        return key
    if members.get(key) is not None and not older_key_wins(field):
        raise ManifestError(at(path, older), f"is the older name of {key}: give only one of them")
    return older


@functools.cache
def _type_hints(cls: type) -> dict[str, object]:
    hints = typing.get_type_hints(cls)
    return {name: hint for name, hint in hints.items() if typing.get_origin(hint) is not ClassVar}


def _is_default(field: "dataclasses.Field[object]", value: object) -> bool:
    if "keep" in field.metadata:  # written even when it is the default, since a reader relies on it
        return False
    if field.default is not dataclasses.MISSING:
        return bool(value == field.default)
    if field.default_factory is not dataclasses.MISSING:
        return bool(value == field.default_factory())
    return False


_WORDS: dict[object, str] = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


def _expect(cls: type[T], value: object, path: str) -> T:
    if isinstance(value, cls) and not (cls in (int, float) and isinstance(value, bool)):
        return value
    raise ManifestError(path, f"must be {_WORDS[cls]}, not {_WORDS.get(type(value), 'null')}")


def _one_of(choices: tuple[object, ...], value: object, path: str) -> object:
    if isinstance(value, str) and value in choices:
        return value
    raise ManifestError(path, f"must be one of {', '.join(map(str, choices))}, not {value!r}")


def _as_text(value: object, path: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return str(value)
    return _expect(str, value, path)


def _moment(value: object, path: str) -> datetime:
    if isinstance(value, datetime):  # a YAML reader makes one of an unquoted date
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    try:
        moment = datetime.fromisoformat(_expect(str, value, path))
    except ValueError as error:
        if isinstance(error, ManifestError):
            raise
        raise ManifestError(
            path, f"must be a date and time such as 2026-01-31T12:00:00Z, not {value!r}"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
