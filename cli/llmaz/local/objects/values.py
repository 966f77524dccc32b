"""Plain JSON values, and the words that a Kubernetes API server uses for them.

Objects stay plain dicts here on purpose: a server must carry fields that it does not know.
"""

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

# Any JSON value. Not a recursive union: every reader below looks at the value's type before it uses
# it, and schemas are trusted only after `structural_errors`.
Json: TypeAlias = Any
Object: TypeAlias = dict[str, Any]
Schema: TypeAlias = Mapping[str, Any]


def type_name(value: Json) -> str:
    """Return the OpenAPI type of a value: a whole number is an integer, None is null."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def compact(value: Json) -> str:
    """Write a value as JSON the way Go does: no spaces, sorted keys, no needless escapes."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def quoted(text: str) -> str:
    """Quote a string as Go's %q does."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", r"\x7f")


def child(path: str, key: str | int) -> str:
    """Extend a field path: `spec` and `flavors` make `spec.flavors`, with 1 `spec.flavors[1]`."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def keyed(path: str, key: str) -> str:
    """Extend a field path by a key of a map: `spec.params` and `TP` make `spec.params[TP]`."""
    return f"{path}[{key}]"


def equal(one: Json, other: Json) -> bool:
    """Compare as JSON: unlike Python, true is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


def copied(value: Json) -> Json:
    """Copy a JSON value deeply; faster than copy.deepcopy, since JSON has no cycles."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copied(item) for item in value]
    return value
