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
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, TypeAlias, TypeVar, cast, runtime_checkable

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
    "UnknownFieldError",
    "at",
    "decode",
    "digest",
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


class UnknownFieldError(ManifestError):
    """A manifest with a field that the type does not have."""


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
    kind = type(value)
    if kind in _PLAIN:
        return cast("Json", value)
    if dataclasses.is_dataclass(kind):
        return cast("Scalar", value).to_json() if _is_scalar(kind) else _written(value, kind)
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


def _written(value: object, cls: type) -> Manifest:
    """Write the fields of a dataclass. Thousands are written in a decision: this is kept short."""
    found: Manifest = {}
    for member in _members(cls):
        item = getattr(value, member.name)
        if item is not member.unwritten and item != member.unwritten:
            found[member.key] = item if type(item) in _PLAIN else encode(item)
    return found


def digest(value: Json) -> str:
    """Return 16 hex digits that differ when the value does."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


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
    if _is_scalar(cls):
        return cast("type[Scalar]", cls).from_json(cast("Json", value), path)
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


def _decode_fields(cls: type, given: dict[str, object], path: str) -> object:
    if issubclass(cls, Upgraded):
        given = cls.upgraded(given, path)
    members = _members(cls)
    if not getattr(cls, "LENIENT", False):
        _refuse_unknown(cls, given, path)
    arguments: dict[str, object] = {}
    for member in members:
        key = member.key_in(given, path)
        if given.get(key) is None:
            if not has_default(member.field):
                raise ManifestError(at(path, key), "is required")
            continue
        read = _decode(member.hint, given[key], at(path, key), stringly=member.stringly)
        if (problem := member.bounds.problem(read)) is not None:
            raise ManifestError(at(path, key), problem)
        arguments[member.name] = read
    construct = cast("Callable[..., object]", cls)
    return construct(**arguments)


def _refuse_unknown(cls: type, given: dict[str, object], path: str) -> None:
    for key in sorted(map(str, given.keys() - _known(cls))):
        names = ", ".join(sorted(member.key for member in _members(cls)))
        raise UnknownFieldError(at(path, key), f"unknown field; known are {names}")


@dataclass(frozen=True, slots=True)
class _Member:
    """What the codec has to know of one field, found out once for each class."""

    field: "dataclasses.Field[object]"
    name: str
    key: str
    older: str | None
    hint: object
    stringly: bool
    bounds: Bounds
    unwritten: object  # the value that need not be written

    def key_in(self, given: dict[str, object], path: str) -> str:
        """Return the name that a manifest uses for the field."""
        if self.older is None or given.get(self.older) is None:
            return self.key
        if given.get(self.key) is not None and not older_key_wins(self.field):
            raise ManifestError(
                at(path, self.older), f"is the older name of {self.key}: give only one of them"
            )
        return self.older


@functools.cache
def _members(cls: type) -> tuple[_Member, ...]:
    hints = typing.get_type_hints(cls)
    return tuple(
        _Member(
            field=field,
            name=field.name,
            key=key_of(field),
            older=older_key_of(field),
            hint=hints[field.name],
            stringly="stringly" in field.metadata,
            bounds=Bounds.of(field),
            unwritten=_unwritten(field),
        )
        for field in dataclasses.fields(cls)
    )


def _unwritten(field: "dataclasses.Field[object]") -> object:
    """Return a field's default, or a value that equals none where it is written all the same."""
    if "keep" in field.metadata:  # since a reader relies on it
        return dataclasses.MISSING
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


@functools.cache
def _known(cls: type) -> frozenset[str | None]:
    return frozenset(key for member in _members(cls) for key in (member.key, member.older))


@functools.cache
def _is_scalar(cls: type) -> bool:
    return issubclass(cls, Scalar)


_PLAIN = frozenset({str, int, float, bool, type(None)})  # written as they are
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
