"""What the codec knows of a class: its fields on the wire, found out once for each.

The types of a manifest, the error that says where one is wrong, and the two ways in which a class
may read itself otherwise: as a scalar, or from an older shape.
"""

import dataclasses
import functools
import typing
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

from llmaz.api.fields import (
    Bounds,
    has_default,
    key_of,
    older_key_of,
    older_key_wins,
    reach_of,
)

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Manifest: TypeAlias = "dict[str, Json]"


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


@runtime_checkable
class Checked(Protocol):
    """A class whose values can be wrong in ways that the definitions of a release let pass.

    What a release took an API server takes for good. The programs say what they can't work with.
    """

    def check(self, path: str) -> None: ...


def at(path: str, key: str | int) -> str:
    """Extend a path by a key or an index: `spec` and `flavors`, `spec.flavors` and 1."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


@dataclass(frozen=True, slots=True)
class Member:
    """What the codec has to know of one field."""

    field: "dataclasses.Field[object]"
    name: str
    key: str
    older: str | None
    hint: object
    bounds: Bounds
    is_required: bool
    unwritten: object  # the value that need not be written

    @property
    def is_stringly(self) -> bool:
        return "stringly" in self.field.metadata

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
def members(cls: type) -> tuple[Member, ...]:
    """Return the fields of a dataclass."""
    hints = typing.get_type_hints(cls)
    return tuple(
        Member(
            field=field,
            name=field.name,
            key=key_of(field),
            older=older_key_of(field),
            hint=hints[field.name],
            bounds=Bounds.of(field).within(reach_of(field)),
            is_required=not has_default(field),
            unwritten=_unwritten(field),
        )
        for field in dataclasses.fields(cls)
    )


@functools.cache
def keys(cls: type) -> frozenset[str]:
    """Return every key that a manifest may use for a field."""
    found = (key for member in members(cls) for key in (member.key, member.older))
    return frozenset(key for key in found if key is not None)


@functools.cache
def is_checked(cls: type) -> bool:
    return issubclass(cls, Checked)


@functools.cache
def is_scalar(cls: type) -> bool:
    return issubclass(cls, Scalar)


def _unwritten(field: "dataclasses.Field[object]") -> object:
    """Return a field's default, or a value that equals none where it is written all the same."""
    if "keep" in field.metadata:  # since a reader relies on it
        return dataclasses.MISSING
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


PLAIN = frozenset({str, int, float, bool, type(None)})  # written as they are
