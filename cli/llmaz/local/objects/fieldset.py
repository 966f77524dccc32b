"""Sets of fields of an object, and FieldsV1, the form in which managedFields keeps them.

A path is a tuple of steps: `f:name` for a field or a key, `k:{...}` for the item with these keys,
`v:...` for the item with this value, `i:0` for an index. A path may be in a set without the paths
below it.
"""

import json
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from llmaz.local.objects.values import Object, compact

Path: TypeAlias = tuple[str, ...]
FieldSet: TypeAlias = frozenset[Path]

EMPTY: FieldSet = frozenset()


def encoded(fields: FieldSet) -> Object:
    """Write a set as FieldsV1."""
    root: Object = {}
    for path in sorted(fields):
        node = root
        for step in path:
            node = node.setdefault(step, {})
        node["."] = {}
    return {step: _without_lone_dots(node) for step, node in root.items()}


def _without_lone_dots(node: Object) -> Object:
    """A leaf is written as `{}`; only a member with something below it says `.` of itself."""
    if node.keys() == {"."}:
        return {}
    return {
        step: child if step == "." else _without_lone_dots(child) for step, child in node.items()
    }


def decoded(fields: Object) -> FieldSet:
    """Read FieldsV1."""
    return frozenset(_decoded(fields, ()))


def _decoded(node: Object, path: Path) -> Iterator[Path]:
    for step, child in node.items():
        if step == ".":
            yield path
        elif child and isinstance(child, dict):
            yield from _decoded(child, (*path, step))
        else:
            yield (*path, step)


def below(fields: Iterable[Path], step: str) -> FieldSet:
    """Return what a set says of the things below a step, with paths from there."""
    return frozenset(path[1:] for path in fields if len(path) > 1 and path[0] == step)


def shown(path: Path) -> str:
    """Write a path as conflicts name it: `.spec.flavors[name="a10"].gpus`."""
    return "".join(map(_shown_step, path))


def _shown_step(step: str) -> str:
    kind, _, text = step.partition(":")
    match kind:
        case "f":
            return f".{text}"
        case "k":
            return f"[{_shown_keys(text)}]"
        case "v":
            return f"[={text}]"
    return f"[{text}]"


def _shown_keys(text: str) -> str:
    try:
        keys = json.loads(text)
    except ValueError:  # a client may write what it likes into managedFields
        return text
    if not isinstance(keys, dict):
        return text
    return ",".join(f"{key}={compact(value)}" for key, value in keys.items())
