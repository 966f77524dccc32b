"""JSON patch (RFC 6902): operations on a copy of the object, all or nothing."""

import re

from llmaz.local.objects.patcherror import REJECTED, PatchError
from llmaz.local.objects.values import Json, Object, compact, copied, equal

MAX_OPERATIONS = 10000
MAX_COPIED = 3 * 1024 * 1024  # bytes of all copies together: each could double the object
_INDEX = re.compile(r"0|-?[1-9][0-9]{0,9}")


def json_patch(obj: Object, operations: Json) -> Object:
    """Return `obj` with every operation done in order; raise PatchError if one of them can't be."""
    if not isinstance(operations, list) or not all(isinstance(op, dict) for op in operations):
        raise PatchError("error decoding patch: a JSON patch is a list of operations")
    if len(operations) > MAX_OPERATIONS:
        raise PatchError(
            "Request entity too large: The allowed maximum operations in a JSON patch is "
            f"{MAX_OPERATIONS}, got {len(operations)}",
            413,
        )
    document = copied(obj)
    size = 0
    for operation in operations:
        size += _copied_size(document, operation)
        if size > MAX_COPIED:
            raise _rejection()
        document = _perform(document, operation)
    if not isinstance(document, dict):
        raise _rejection()
    return document


def _perform(document: Json, operation: Object) -> Json:
    path = _pointer(operation.get("path"))
    match operation.get("op"):
        case "add":
            return _add(document, path, _value(operation))
        case "remove":
            return _remove(document, path)
        case "replace":
            _get(document, path)
            return (
                _add(_remove(document, path), path, _value(operation))
                if path
                else _value(operation)
            )
        case "move":
            source = _pointer(operation.get("from"))
            moved = _get(document, source)
            return _add(_remove(document, source), path, moved)
        case "copy":
            return _add(document, path, copied(_get(document, _pointer(operation.get("from")))))
        case "test":
            return _tested(document, path, operation)
    raise _rejection()


def _copied_size(document: Json, operation: Object) -> int:
    if operation.get("op") != "copy":
        return 0
    return len(compact(_get(document, _pointer(operation.get("from")))))


def _tested(document: Json, path: list[str], operation: Object) -> Json:
    expected = operation.get("value")
    if expected is None and not _exists(document, path):
        return document
    if not equal(_get(document, path), expected):
        raise _rejection()
    return document


def _exists(document: Json, path: list[str]) -> bool:
    try:
        _get(document, path)
    except PatchError:
        return False
    return True


def _value(operation: Object) -> Json:
    if "value" not in operation:
        raise _rejection()
    return copied(operation["value"])


def _pointer(text: Json) -> list[str]:
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise _rejection()
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _get(document: Json, path: list[str]) -> Json:
    for part in path:
        if isinstance(document, dict):
            if part not in document:
                raise _rejection()
            document = document[part]
        elif isinstance(document, list):
            document = document[_index(part, len(document))]
        else:
            raise _rejection()
    return document


def _index(part: str, length: int) -> int:
    """Return the place in a list; negative ones count from the end, as the server allows."""
    if not _INDEX.fullmatch(part) or not -length <= int(part) < length:
        raise _rejection()
    return int(part) % length


def _add(document: Json, path: list[str], value: Json) -> Json:
    if not path:
        return value
    parent, last = _get(document, path[:-1]), path[-1]
    if isinstance(parent, dict):
        parent[last] = value
    elif isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else _index(last, len(parent) + 1), value)
    else:
        raise _rejection()
    return document


def _remove(document: Json, path: list[str]) -> Json:
    if not path:
        raise _rejection()
    parent, last = _get(document, path[:-1]), path[-1]
    if isinstance(parent, dict) and last in parent:
        del parent[last]
    elif isinstance(parent, list):
        del parent[_index(last, len(parent))]
    else:
        raise _rejection()
    return document


def _rejection() -> PatchError:
    return PatchError(REJECTED, 422)
