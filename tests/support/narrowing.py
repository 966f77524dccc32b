"""What an older object could be that a newer schema refuses."""

from collections.abc import Iterator

from llmaz.api.manifest import Json, Manifest

UPPER = ("maxLength", "maxItems", "maxProperties", "maximum")
LOWER = ("minLength", "minItems", "minProperties", "minimum")
KEEPS = "x-kubernetes-preserve-unknown-fields"
SAME = ("pattern", "format", "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "default")


def narrowed(old: Manifest, new: Manifest, path: str = "") -> Iterator[str]:
    """Yield where the newer schema takes less than the older one, or means something else by it."""
    yield from _types(old, new, path)
    for key in UPPER:
        if _number(new, key, float("inf")) < _number(old, key, float("inf")):
            yield f"{path}: {key} is lower"
    for key in LOWER:
        if _number(new, key, float("-inf")) > _number(old, key, float("-inf")):
            yield f"{path}: {key} is higher"
    for key in SAME:
        if key in new and new[key] != old.get(key):
            yield f"{path}: {key} is another"
    if gone := set(_words(old, "enum")) - set(_words(new, "enum")):
        if "enum" in new:
            yield f"{path}: {', '.join(sorted(gone))} may be chosen no more"
    elif "enum" in new and "enum" not in old:
        yield f"{path}: has become a choice"
    yield from _members(old, new, path)


def _types(old: Manifest, new: Manifest, path: str) -> Iterator[str]:
    wider = new.get("x-kubernetes-int-or-string") and old.get("type") in ("integer", "string")
    same = new.get("type") == old.get("type")
    anything = "type" not in new and new.get(KEEPS)
    if not (wider or same or anything):
        yield f"{path}: was {old.get('type', 'anything')}, is {new.get('type', 'anything')}"
    if old.get(KEEPS) and not new.get(KEEPS):
        yield f"{path}: keeps unknown fields no more"


def _members(old: Manifest, new: Manifest, path: str) -> Iterator[str]:
    before, after = _fields(old), _fields(new)
    for name in before.keys() - after.keys():
        if not new.get(KEEPS):
            yield f"{path}.{name}: is gone"
    for name in set(_words(new, "required")) - set(_words(old, "required")):
        yield f"{path}.{name}: has become required"
    for name in before.keys() & after.keys():
        yield from narrowed(before[name], after[name], f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        was, now = old.get(key), new.get(key)
        if isinstance(was, dict) and isinstance(now, dict):
            yield from narrowed(was, now, f"{path}[]")


def _fields(schema: Manifest) -> dict[str, Manifest]:
    found = schema.get("properties")
    known = found.items() if isinstance(found, dict) else ()
    return {name: field for name, field in known if isinstance(field, dict)}


def _number(schema: Manifest, key: str, otherwise: float) -> float:
    found = schema.get(key)
    return found if isinstance(found, int | float) else otherwise


def _words(schema: Manifest, key: str) -> list[str]:
    found: Json = schema.get(key)
    return [str(one) for one in found] if isinstance(found, list) else []
