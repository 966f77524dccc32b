"""Strategic merge patch: a merge patch that knows which lists are maps by a key.

The schema says so (`x-kubernetes-patch-strategy`, `x-kubernetes-patch-merge-key`); the patch may
carry directives: `$patch`, `$retainKeys`, `$setElementOrder/<list>`,
`$deleteFromPrimitiveList/<list>`.
"""

from collections.abc import Callable, Sequence

from llmaz.local.objects.patcherror import PatchError
from llmaz.local.objects.values import Json, Object, Schema, compact, copied

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_ORDER = "$setElementOrder/"
_DELETE_FROM = "$deleteFromPrimitiveList/"


def strategic_patch(obj: Object, patch: Json, schema: Schema | None) -> Object:
    """Return `obj` with the patch merged in, list by list as the schema says."""
    if not isinstance(patch, dict):
        raise PatchError("error decoding patch: a strategic merge patch is an object")
    return _merged_map(obj, patch, schema or {})


def _merged_map(original: Object, patch: Object, schema: Schema) -> Object:
    directive = patch.get(_PATCH)
    if directive is not None:
        return _replaced(patch, directive)
    result = _retained(original, patch)
    for key, change in patch.items():
        if key == _RETAIN or key.startswith((_ORDER, _DELETE_FROM)):
            continue
        if change is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), change, _property(schema, key), patch, key)
    for key in patch:
        if key.startswith(_DELETE_FROM):
            _delete_primitives(result, key.removeprefix(_DELETE_FROM), patch[key])
        elif key.startswith(_ORDER) and key.removeprefix(_ORDER) not in patch:
            _reorder(result, key.removeprefix(_ORDER), patch[key], schema)
    return result


def _replaced(patch: Object, directive: Json) -> Object:
    if directive == "replace":
        return {key: copied(value) for key, value in patch.items() if key != _PATCH}
    if directive in ("delete", "merge"):
        rest = {key: value for key, value in patch.items() if key != _PATCH}
        return {} if directive == "delete" else _merged_map({}, rest, {})
    raise PatchError(f"Unknown patch type: {directive}")


def _retained(original: Object, patch: Object) -> Object:
    kept = patch.get(_RETAIN)
    if kept is None:
        return dict(original)
    if not isinstance(kept, list):
        raise PatchError("invalid patch format of retainKeys list")
    for key in patch:
        if not key.startswith("$") and key not in kept:
            raise PatchError(f"{compact(kept)} is not a superset of {compact(sorted(patch))}")
    return {key: value for key, value in original.items() if key in kept}


def _merged(old: Json, change: Json, schema: Schema, patch: Object, key: str) -> Json:
    strategy = str(schema.get("x-kubernetes-patch-strategy", "")).split(",")
    if isinstance(change, dict):
        base = old if isinstance(old, dict) and "replace" not in strategy else {}
        return _merged_map(base, change, schema)
    if not isinstance(change, list) or "merge" not in strategy:
        return copied(_without_directives(change))
    order = patch.get(_ORDER + key)
    server = old if isinstance(old, list) else []
    merge_key = schema.get("x-kubernetes-patch-merge-key")
    if not isinstance(merge_key, str):
        merged = list(dict.fromkeys([*server, *change]))
        return _ordered(merged, order, server, lambda item: item) if order else merged
    merged = _merged_list(server, change, merge_key, schema.get("items", {}))
    identity = _by(merge_key)
    return _ordered(merged, order, server, identity) if order else merged


def _without_directives(value: Json) -> Json:
    """A new value has nothing to delete: directives and nulls in it mean nothing."""
    if isinstance(value, list):
        return [
            item for item in value if not (isinstance(item, dict) and item.get(_PATCH) == "delete")
        ]
    return value


def _merged_list(server: list[Json], change: list[Json], key: str, items: Schema) -> list[Json]:
    if any(isinstance(item, dict) and item.get(_PATCH) == "replace" for item in change):
        return [copied(item) for item in change if item.get(_PATCH) is None]
    result = list(server)
    for item in change:
        if not isinstance(item, dict) or key not in item:
            raise PatchError(f"map: {compact(item)} does not contain declared merge key: {key}")
        place = next((i for i, have in enumerate(result) if have.get(key) == item[key]), None)
        if item.get(_PATCH) == "delete":
            result = [have for have in result if have.get(key) != item[key]]
        elif place is None:
            result.append(_merged_map({}, item, items))
        else:
            result[place] = _merged_map(result[place], item, items)
    return result


def _delete_primitives(result: Object, key: str, unwanted: Json) -> None:
    if not isinstance(unwanted, list):
        raise PatchError("invalid patch format of primitive list")
    if isinstance(result.get(key), list):
        result[key] = [item for item in result[key] if item not in unwanted]


def _reorder(result: Object, key: str, order: Json, schema: Schema) -> None:
    have = result.get(key)
    if not isinstance(have, list):
        return
    merge_key = _property(schema, key).get("x-kubernetes-patch-merge-key")
    result[key] = _ordered(have, order, have, _by(merge_key) if merge_key else lambda item: item)


def _by(merge_key: str) -> Callable[[Json], Json]:
    return lambda item: item.get(merge_key) if isinstance(item, dict) else item


def _ordered(
    merged: Sequence[Json], order: Json, server: Sequence[Json], identity: Callable[[Json], Json]
) -> list[Json]:
    """Put items in the patch's order; what only the server has keeps its place among them."""
    if not isinstance(order, list):
        raise PatchError("invalid patch format of setElementOrder list")
    wanted = [identity(item) for item in order]
    places = {compact(identity(item)): place for place, item in enumerate(server)}
    ours = sorted(
        (item for item in merged if identity(item) in wanted),
        key=lambda item: wanted.index(identity(item)),
    )
    theirs = [item for item in merged if identity(item) not in wanted]
    result: list[Json] = []
    while theirs and ours:
        left = places.get(compact(identity(theirs[0])))
        right = places.get(compact(identity(ours[0])))
        first = theirs if left is not None and right is not None and left < right else ours
        result.append(first.pop(0))
    return [*result, *theirs, *ours]


def _property(schema: Schema, key: str) -> Schema:
    found = schema.get("properties", {}).get(key)
    if found is None:
        found = schema.get("additionalProperties")
    return found if isinstance(found, dict) else {}
