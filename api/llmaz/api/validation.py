"""Whether an object keeps the rules that a manifest can break without being misread."""

import dataclasses
from collections.abc import Iterator, Mapping

from llmaz.api.fields import key_of, list_map_of
from llmaz.api.manifest import ManifestError, at, encode
from llmaz.api.rules import RULES


def validate(value: object) -> tuple[ManifestError, ...]:
    """Return every rule that an object, or anything within it, breaks; a CRD refuses the same."""
    return tuple(_problems(value, ""))


def _problems(value: object, path: str) -> Iterator[ManifestError]:
    for rule in RULES:
        if rule.is_broken_by(value):
            yield ManifestError(at(path, rule.field) if rule.field else path, rule.message)
    for key, member in _members(value):
        yield from _problems(member, at(path, key))
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            items = getattr(value, field.name)
            yield from _duplicates(items, list_map_of(field), at(path, key_of(field)))


def _members(value: object) -> Iterator[tuple[str | int, object]]:
    if isinstance(value, tuple):
        yield from enumerate(value)
    elif isinstance(value, Mapping):
        yield from value.items()
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield key_of(field), getattr(value, field.name)


def _duplicates(items: object, keys: tuple[str, ...], path: str) -> Iterator[ManifestError]:
    if not keys or not isinstance(items, tuple):
        return
    seen = set()
    for i, item in enumerate(items):
        written = encode(item)
        identity = tuple(str(written.get(key)) for key in keys) if isinstance(written, dict) else ()
        if identity in seen:
            yield ManifestError(at(path, i), f"another item has the same {' and '.join(keys)}")
        seen.add(identity)
