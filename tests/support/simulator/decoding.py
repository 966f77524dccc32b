"""Manifests read once: many histories, and many moments of one, hold the same specs and statuses.

Reading is most of what a small world would cost. What was read is kept for the whole process by
the text of its part, so that a later history finds it as well.
"""

import dataclasses
import marshal
import typing
from functools import cache
from typing import Any, TypeVar, cast

from llmaz.api.manifest import Manifest, decode
from llmaz.api.node import AssignedEngine, AssignedModel, NodeSpec

T = TypeVar("T")

_PARTS = ("metadata", "spec", "status")
_MOST = 100_000  # values that are kept; few histories need more, and all of them are small
_known: dict[tuple[type, bytes], object] = {}


class Decoder:
    """Reads the objects of one history, whose versions tell them apart."""

    def __init__(self) -> None:
        self._by_version: dict[str, object] = {}

    def __call__(self, cls: type[T], value: object, /) -> T:
        """Return what an object says; the same value for the same version."""
        manifest = cast("dict[str, Any]", value)
        version = manifest["metadata"]["resourceVersion"]
        found = self._by_version.get(version)
        if not isinstance(found, cls):
            found = self._by_version[version] = _read(cls, manifest)
        return found


def _read(cls: type[T], manifest: Manifest) -> T:
    meta = cast("dict[str, Any]", manifest["metadata"])
    bare = {key: value for key, value in meta.items() if key not in _NUMBERED}
    given: dict[str, Any] = {part: manifest[part] for part in _PARTS if manifest.get(part)}
    hints = _hints(cast("Any", cls))
    parts = {
        part: _part(hints[part], value) for part, value in (given | {"metadata": bare}).items()
    }
    numbers = {"resource_version": meta["resourceVersion"], "generation": meta["generation"]}
    parts["metadata"] = dataclasses.replace(cast("Any", parts["metadata"]), **numbers)
    return cls(**parts)


_NUMBERED = frozenset({"resourceVersion", "generation", "managedFields"})


def _part(hint: type, value: object) -> object:
    key = hint, marshal.dumps(cast("Any", value), 2)
    if key not in _known:
        if len(_known) >= _MOST:
            _known.clear()
        _known[key] = _assigned(value) if hint is NodeSpec else decode(hint, value)
    return _known[key]


def _assigned(value: object) -> NodeSpec:
    """Read what a node is told; most of its engines and models it was told before."""
    told = cast("dict[str, list[Any]]", value)
    return NodeSpec(
        models=tuple(cast("Any", _part(AssignedModel, one)) for one in told.get("models", ())),
        engines=tuple(cast("Any", _part(AssignedEngine, one)) for one in told.get("engines", ())),
    )


@cache
def _hints(cls: type) -> dict[str, type]:
    return typing.get_type_hints(cls)
