"""What reads a manifest's values as a type: worked out once for each type, then only called.

Reading is most of what a change of an object costs its watchers, so each field knows beforehand
what reads it, and a value that is already what the field holds is taken as it is.
"""

import dataclasses
import enum
import functools
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TypeAlias, TypeVar, cast

from llmaz.api.fields import UNBOUNDED
from llmaz.api.wire import (
    PLAIN,
    Checked,
    ManifestError,
    Member,
    Scalar,
    UnknownFieldError,
    Upgraded,
    at,
    is_checked,
    is_scalar,
    keys,
    members,
)

T = TypeVar("T")
Read: TypeAlias = Callable[[object, str], object]  # of a value, and the path to it


@functools.cache
def reader(cls: object) -> Read:
    """Return what reads values as a type; it says with its path what is wrong: ManifestError."""
    return _reader(cls, stringly=False)


def _reader(hint: object, *, stringly: bool) -> Read:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return _reader_of_union(args, stringly=stringly)
    if origin is tuple:
        return partial(_items, _reader(args[0], stringly=stringly))
    if origin is frozenset:
        return partial(_different_items, _reader(args[0], stringly=stringly))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return partial(_mapping, _reader(args[1], stringly=stringly))
    if origin is typing.Literal:
        return partial(_one_of, args)
    if hint is str and stringly:
        return _as_text
    return _reader_of_class(hint) if isinstance(hint, type) else _as_it_is


def _reader_of_class(cls: type) -> Read:
    if is_scalar(cls):
        return cast("Read", cast("type[Scalar]", cls).from_json)
    if dataclasses.is_dataclass(cls):
        return partial(_instance, cls)
    if issubclass(cls, enum.Enum):
        return partial(_choice, cls, tuple(member.value for member in cls))
    if cls is datetime:
        return _moment
    if cls is float:
        return _float
    return partial(_expect, cls) if cls in _WORDS else _as_it_is


def _reader_of_union(options: tuple[object, ...], *, stringly: bool) -> Read:
    choices = [option for option in options if option is not type(None)]
    is_one = len(choices) == 1
    read = _reader(choices[0], stringly=stringly) if is_one else partial(_either, tuple(choices))
    return partial(_unless_none, read) if type(None) in options else read


@dataclass(frozen=True, slots=True)
class _Slot:
    """A field, and what reads it. A value whose class is `plain` is what the field holds."""

    member: Member
    read: Read
    plain: type | None


@functools.cache
def _slots(cls: type) -> tuple[_Slot, ...]:
    return tuple(
        _Slot(member, _reader(member.hint, stringly=member.is_stringly), _plain(member))
        for member in members(cls)
    )


def _plain(member: Member) -> type | None:
    """Return the class whose values a field holds just as they are written, if there is one."""
    args = typing.get_args(member.hint) or (member.hint,)
    choices = [option for option in args if option is not type(None)]
    is_one = len(choices) == 1 and choices[0] in PLAIN and member.bounds == UNBOUNDED
    origin = typing.get_origin(member.hint)
    is_bare = origin in (None, types.UnionType, typing.Union)
    return cast("type", choices[0]) if is_one and is_bare else None


def _instance(cls: type, value: object, path: str) -> object:
    given = cast("dict[str, object]", _expect(dict, value, path))
    if issubclass(cls, Upgraded):
        given = cls.upgraded(given, path)
    if not keys(cls).issuperset(given) and not getattr(cls, "LENIENT", False):
        _refuse_unknown(cls, given, path)
    arguments: dict[str, object] = {}
    for slot in _slots(cls):
        member = slot.member
        key = member.key if member.older is None else member.key_in(given, path)
        item = given.get(key)
        if item is not None:
            is_read = type(item) is slot.plain
            arguments[member.name] = item if is_read else _bounded(slot, item, at(path, key))
        elif member.is_required:
            raise ManifestError(at(path, key), "is required")
    made = cast("Callable[..., object]", cls)(**arguments)
    if is_checked(cls):
        cast("Checked", made).check(path)
    return made


def _bounded(slot: _Slot, value: object, path: str) -> object:
    found, bounds = slot.read(value, path), slot.member.bounds
    problem = bounds.problem(found) if bounds is not UNBOUNDED else None
    if problem is not None:
        raise ManifestError(path, problem)
    return found


def _refuse_unknown(cls: type, given: dict[str, object], path: str) -> None:
    for key in sorted(map(str, given.keys() - keys(cls))):
        names = ", ".join(sorted(member.key for member in members(cls)))
        raise UnknownFieldError(at(path, key), f"unknown field; known are {names}")


def _items(read: Read, value: object, path: str) -> tuple[object, ...]:
    items = _expect(list, value, path)
    return tuple([read(item, f"{path}[{index}]") for index, item in enumerate(items)])


def _different_items(read: Read, value: object, path: str) -> frozenset[object]:
    return frozenset(_items(read, value, path))


def _mapping(read: Read, value: object, path: str) -> dict[str, object]:
    found = cast("dict[object, object]", _expect(dict, value, path))
    return {str(key): read(item, at(path, str(key))) for key, item in found.items()}


def _choice(cls: type[enum.Enum], choices: tuple[object, ...], value: object, path: str) -> object:
    _one_of(choices, value, path)
    return cls(value)


def _either(choices: tuple[object, ...], value: object, path: str) -> object:
    for choice in choices:
        if isinstance(choice, type) and isinstance(value, choice) and not isinstance(value, bool):
            return value
    raise ManifestError(path, f"must be {' or '.join(_WORDS.get(c, str(c)) for c in choices)}")


def _unless_none(read: Read, value: object, path: str) -> object:
    return None if value is None else read(value, path)


def _float(value: object, path: str) -> float:
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return _expect(float, value, path)


def _as_it_is(value: object, path: str) -> object:
    del path
    return value


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
