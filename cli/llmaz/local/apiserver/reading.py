"""Reads: one object, and lists with selectors and pages that show one version throughout."""

import base64
import binascii
import json
from dataclasses import dataclass

from llmaz.local.apiserver.context import Context
from llmaz.local.apiserver.options import number_of, revision_of
from llmaz.local.apiserver.resource import Key, Resource
from llmaz.local.apiserver.routes import Request
from llmaz.local.apiserver.selection import Wanted
from llmaz.local.apiserver.status import StatusError, bad_request, expired, not_found, too_new
from llmaz.local.apiserver.versions import Stored
from llmaz.local.objects.values import Object

_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. "
    "Start a new list without the continue parameter."
)


@dataclass(frozen=True, slots=True)
class _Page:
    """Where a list goes on: at `start`, among the objects as they were at `revision`."""

    revision: int
    start: Key


def get(context: Context, resource: Resource, key: Key) -> Stored:
    """Return one object or refuse."""
    stored = context.store.get(resource.storage, key)
    if stored is None:
        raise not_found(resource.group, resource.plural, key[1])
    return stored


def select(
    context: Context, resource: Resource, request: Request, *, namespace: str, wanted: Wanted | None
) -> tuple[list[Stored], Object]:
    """Return the objects of a list and the metadata of the list itself."""
    page = _page(request.query.get("continue", ""))
    revision = page.revision if page else _wanted_revision(context, request)
    if page and revision < context.store.floor:
        raise expired(_TOO_OLD)
    found = context.store.select_at(resource.storage, namespace, revision)
    if page:
        found = [stored for stored in found if stored.key >= page.start]
    if wanted is not None:
        view = resource.rules.from_storage
        found = [stored for stored in found if wanted(view(stored.obj))]
    return _cut(request, found, revision, selective=wanted is not None)


def _cut(
    request: Request, found: list[Stored], revision: int, *, selective: bool
) -> tuple[list[Stored], Object]:
    limit = max(0, number_of(request, "limit"))
    metadata: Object = {"resourceVersion": str(revision)}
    if not limit or len(found) <= limit:
        return found, metadata
    metadata["continue"] = _token(_Page(revision, found[limit].key))
    if not selective:
        metadata["remainingItemCount"] = len(found) - limit
    return found[:limit], metadata


def _wanted_revision(context: Context, request: Request) -> int:
    """Return the version to list at: the newest, unless an exact one is asked for."""
    revision = revision_of(request.query.get("resourceVersion", ""))
    current = context.store.revision
    if revision > current:
        raise too_new(revision, current)
    if request.query.get("resourceVersionMatch") != "Exact" or not revision:
        return current
    if revision < context.store.floor:
        raise expired(f"The resourceVersion for the provided list is too old: {revision}")
    return revision


def _token(page: _Page) -> str:
    value = {"v": "meta.k8s.io/v1", "rv": page.revision, "start": list(page.start)}
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _page(token: str) -> _Page | None:
    if not token:
        return None
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        if not text.startswith(b"{"):
            raise _unreadable(text)
        value = json.loads(text)
        namespace, name = value["start"]
        return _Page(int(value["rv"]), (str(namespace), str(name)))
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise bad_request(f"invalid continue token: continue key is not valid: {error}") from None


def _unreadable(text: bytes) -> StatusError:
    found = f"invalid character '\\x{text[0]:02x}'" if text else "unexpected end of JSON input"
    where = " looking for beginning of value" if text else ""
    return bad_request(f"invalid continue token: continue key is not valid: {found}{where}")
