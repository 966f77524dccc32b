"""The options of a request's query: what a verb can't mean is refused before anything is done."""

import json
from collections.abc import Iterator

from llmaz.local.apiserver.routes import Request
from llmaz.local.apiserver.status import StatusError, bad_request, invalid_options
from llmaz.local.objects.fielderror import FieldError, too_long, unsupported

_WRITES = {
    "create": "CreateOptions",
    "update": "UpdateOptions",
    "patch": "PatchOptions",
    "delete": "DeleteOptions",
    "deletecollection": "DeleteOptions",
}
_MANAGER_LIMIT = 128
_DIGITS = 18  # what surely fits 64 bits
_VALIDATIONS = ("", "Ignore", "Strict", "Warn")
_MATCHES = ("Exact", "NotOlderThan")


def require_options(request: Request, verb: str) -> None:
    """Refuse impossible options: a mistyped `dryRun` must not become a real write."""
    if verb in _WRITES:
        kind, errors = _WRITES[verb], list(_write_errors(request))
    elif verb in ("list", "watch"):
        kind, errors = "ListOptions", list(_list_errors(request, verb))
        revision_of(request.query.get("resourceVersion", ""))
        for name in ("limit", "timeoutSeconds"):
            number_of(request, name)
    else:
        return
    if errors:
        raise invalid_options(kind, errors)


def revision_of(text: str) -> int:
    """Return a resourceVersion of the query as a number; 0 stands for none."""
    if not text:
        return 0
    if _is_number(text):
        return int(text)
    why = "value out of range" if text.isascii() and text.isdigit() else "invalid syntax"
    shown = json.dumps(text)
    message = f"resourceVersion: Invalid value: {shown}: strconv.ParseUint: parsing {shown}: {why}"
    raise StatusError(500, "", message)


def number_of(request: Request, name: str) -> int:
    """Return a whole number of the query, 0 if it is not there."""
    text = request.query.get(name) or "0"
    if _is_number(text.removeprefix("-")):
        return int(text)
    raise bad_request(f"strconv.ParseInt: parsing {json.dumps(text)}: invalid syntax")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS


def _write_errors(request: Request) -> Iterator[FieldError]:
    dry_run = request.query.get("dryRun", "")
    if dry_run not in ("", "All"):
        yield unsupported("dryRun", [dry_run], ["All"])
    manager = request.query.get("fieldManager", "")
    if len(manager.encode(errors="replace")) > _MANAGER_LIMIT:
        yield too_long("fieldManager", _MANAGER_LIMIT)
    if not manager.isprintable():
        detail = "should only contain printable characters"
        yield FieldError("fieldManager", "invalid", manager, detail)
    validation = request.query.get("fieldValidation", "")
    if validation not in _VALIDATIONS:
        yield unsupported("fieldValidation", validation, _VALIDATIONS)


def _list_errors(request: Request, verb: str) -> Iterator[FieldError]:
    match = request.query.get("resourceVersionMatch", "")
    version = request.query.get("resourceVersion", "")
    streamed = "sendInitialEvents" in request.query
    if verb == "watch" and request.flag("sendInitialEvents") and match != "NotOlderThan":
        why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
    elif verb == "watch" and match and not streamed:
        why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
    elif verb == "watch" or not match:
        return
    elif match not in _MATCHES:
        yield unsupported("resourceVersionMatch", match, _MATCHES)
        return
    elif request.query.get("continue"):
        why = "resourceVersionMatch is forbidden when continue is provided"
    elif not version:
        why = "resourceVersionMatch is forbidden unless resourceVersion is provided"
    elif match == "Exact" and version == "0":
        why = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
    else:
        return
    yield FieldError("resourceVersionMatch", "forbidden", None, why)
