"""Three forms of patches: merge (RFC 7386), JSON (RFC 6902) and Kubernetes' strategic merge.

A patch that can't be applied raises PatchError with the server's words and its HTTP code.
"""

from llmaz.local.objects.jsonpatch import MAX_OPERATIONS, json_patch
from llmaz.local.objects.patcherror import PatchError
from llmaz.local.objects.strategic import strategic_patch
from llmaz.local.objects.values import Json, Object, copied, type_name

__all__ = ["MAX_OPERATIONS", "PatchError", "json_patch", "merge_patch", "strategic_patch"]


def merge_patch(obj: Object, patch: Json) -> Object:
    """Return `obj` with the patch merged in: null deletes a key, maps merge, all else replaces."""
    if not isinstance(patch, dict):
        raise PatchError(
            f"error decoding patch: json: cannot unmarshal {type_name(patch)} into Go value of "
            "type map[string]interface {}"
        )
    return _merged(obj, patch)


def _merged(value: Json, patch: Object) -> Object:
    result = {key: copied(item) for key, item in value.items()} if isinstance(value, dict) else {}
    for key, change in patch.items():
        if change is None:
            result.pop(key, None)
        elif isinstance(change, dict):
            result[key] = _merged(result.get(key), change)
        else:
            result[key] = copied(change)
    return result
