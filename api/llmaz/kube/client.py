"""Kube: the verbs of the Kubernetes API on plain manifests, each with a deadline."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, cast

import aiohttp

from llmaz.api.kinds import Kind
from llmaz.api.manifest import Json, Manifest
from llmaz.kube.connection import Connection
from llmaz.kube.errors import Unavailable, from_answer
from llmaz.kube.paths import path_of

# A request that took longer than this is no longer worth waiting for: the loops look again.
_DEADLINE = aiohttp.ClientTimeout(total=30, sock_connect=5)
_PAGE = 500
# A server says something at least once a minute (bookmarks); a connection that was silent for
# longer than this may have lost its other end.
_SILENCE_SECONDS = 100.0
_WATCH_SECONDS = 300

_TYPES = frozenset({"ADDED", "MODIFIED", "DELETED", "BOOKMARK"})
_MERGE_PATCH = "application/merge-patch+json"
_APPLY_PATCH = "application/apply-patch+yaml"

_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


@dataclass(frozen=True, slots=True)
class Listing:
    """The objects of a kind at one moment, and the version to watch on from."""

    items: tuple[Manifest, ...]
    resource_version: str


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One change of one object; a bookmark's object has nothing but a resourceVersion."""

    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    object: Manifest


class Kube:
    """A connection to one API server, for use in an `async with` block.

    Every method raises a KubeError (errors.py), whose message says what was asked.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    async def connect(cls, kubeconfig: Path | None) -> Self:
        """Use a kubeconfig's current context, or a pod's service account when there is none."""
        return cls(await Connection.open(kubeconfig))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._connection.close()

    async def get(self, kind: Kind, name: str, namespace: str | None = None) -> Manifest:
        return await self._object("get", "GET", kind, path_of(kind, name, namespace))

    async def list(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> Listing:
        """List a kind page by page, at one version. Without a namespace: in all namespaces."""
        query = _selection(label_selector, field_selector) | {"limit": str(_PAGE)}
        items: list[Manifest] = []
        while True:
            page = await self._object(
                "list", "GET", kind, path_of(kind, None, namespace), query=query
            )
            items += _items(page, kind)
            meta = cast("Manifest", page.get("metadata") or {})
            if not meta.get("continue"):
                return Listing(tuple(items), str(meta["resourceVersion"]))
            query["continue"] = str(meta["continue"])

    async def table(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        name: str | None = None,
        label_selector: str = "",
    ) -> Manifest:
        """Return the server's own Table of a kind, or of one object: what `kubectl get` prints."""
        return await self._object(
            "list" if name is None else "get",
            "GET",
            kind,
            path_of(kind, name, namespace),
            query=_selection(label_selector, ""),
            accept=_TABLE,
        )

    async def create(self, kind: Kind, manifest: Manifest) -> Manifest:
        path = path_of(kind, None, _namespace(manifest))
        return await self._object("create", "POST", kind, path, body=manifest)

    async def replace(self, kind: Kind, manifest: Manifest) -> Manifest:
        """Replace an object; a resourceVersion in it makes that conditional (Conflict)."""
        path = path_of(kind, _name(manifest), _namespace(manifest))
        return await self._object("update", "PUT", kind, path, body=manifest)

    async def apply(
        self,
        kind: Kind,
        manifest: Manifest,
        *,
        manager: str,
        force: bool = True,
        subresource: str = "",
    ) -> Manifest:
        """Set the fields of `manifest` and own them (server-side apply); create what is missing."""
        path = path_of(kind, _name(manifest), _namespace(manifest), subresource)
        body = {"apiVersion": kind.api_version, "kind": kind.kind, **manifest}
        query = {"fieldManager": manager, "force": str(force).lower()}
        return await self._object(
            "apply", "PATCH", kind, path, query=query, body=body, content_type=_APPLY_PATCH
        )

    async def patch(
        self,
        kind: Kind,
        name: str,
        patch: Manifest,
        namespace: str | None = None,
        *,
        subresource: str = "",
        manager: str = "",
    ) -> Manifest:
        """Merge a patch into an object: null removes a key, lists are replaced whole.

        A resourceVersion in it makes that conditional (Conflict).
        """
        path = path_of(kind, name, namespace, subresource)
        query = {"fieldManager": manager} if manager else {}
        return await self._object(
            "patch", "PATCH", kind, path, query=query, body=patch, content_type=_MERGE_PATCH
        )

    async def delete(
        self, kind: Kind, name: str, namespace: str | None = None, *, uid: str | None = None
    ) -> None:
        """Delete an object and, in the background, what it owns; with `uid` only that very one."""
        body: Manifest = {"kind": "DeleteOptions", "apiVersion": "v1"}
        body["propagationPolicy"] = "Background"
        if uid is not None:
            body["preconditions"] = {"uid": uid}
        await self._object("delete", "DELETE", kind, path_of(kind, name, namespace), body=body)

    async def watch(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
        silence_seconds: float = _SILENCE_SECONDS,
    ) -> AsyncIterator[WatchEvent]:
        """Yield what changes after `resource_version`, until the server ends the stream.

        It ends as well when nothing came for `silence_seconds`: the other end may be gone. Raises
        Gone when that version is too old, and Unavailable when the stream breaks. Otherwise watch
        again from the last version seen.
        """
        query = _selection(label_selector, field_selector) | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        request = f"watch {kind.plural}"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=silence_seconds)
        path = path_of(kind, None, namespace)
        try:
            response = await self._connection.send("GET", path, query=query, timeout=timeout)
            async with response:
                if response.status >= 400:
                    raise from_answer(request, response.status, await _status_of(response))
                async for line in _lines(response.content):
                    yield _event(request, line)
        except aiohttp.SocketTimeoutError:
            return
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise Unavailable(f"{request}: {error or type(error).__name__}") from error

    async def _object(
        self,
        verb: str,
        method: str,
        kind: Kind,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: Json = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Manifest:
        _, _, rest = path.partition(f"/{kind.version}/")
        request = f"{verb} {rest}"
        answer = await self._connection.ask(
            method,
            path,
            request=request,
            query=query or {},
            timeout=_DEADLINE,
            body=body,
            content_type=content_type,
            accept=accept,
        )
        if not isinstance(answer, dict):
            raise Unavailable(f"{request}: the answer is no object")
        return answer


def _selection(label_selector: str, field_selector: str) -> dict[str, str]:
    given = {"labelSelector": label_selector, "fieldSelector": field_selector}
    return {key: value for key, value in given.items() if value}


def _items(page: Manifest, kind: Kind) -> list[Manifest]:
    """Return a page's objects. An answer that is no list is not an empty one."""
    items, meta = page.get("items"), page.get("metadata")
    if not isinstance(items, list) or not isinstance(meta, dict) or "resourceVersion" not in meta:
        raise Unavailable(f"list {kind.plural}: the answer is no list")
    return cast("list[Manifest]", items)


def _name(manifest: Manifest) -> str:
    return str(cast("Manifest", manifest["metadata"])["name"])


def _namespace(manifest: Manifest) -> str | None:
    namespace = cast("Manifest", manifest["metadata"]).get("namespace")
    return None if namespace is None else str(namespace)


async def _status_of(response: aiohttp.ClientResponse) -> Json:
    try:
        return cast("Json", json.loads(await response.read()))
    except ValueError:
        return None


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Split a stream into lines of any length, which aiohttp's own reader bounds."""
    rest = bytearray()
    async for chunk in content.iter_any():
        rest += chunk
        *lines, tail = rest.split(b"\n")
        for line in lines:
            yield bytes(line)
        rest = bytearray(tail)


def _event(request: str, line: bytes) -> WatchEvent:
    event = json.loads(line)
    if not isinstance(event, dict) or not isinstance(event.get("object"), dict):
        raise Unavailable(f"{request}: {line[:200]!r} is no event")
    type_, object_ = event.get("type"), event["object"]
    if type_ == "ERROR":
        raise from_answer(request, int(object_.get("code", 500)), object_)
    if type_ not in _TYPES or "resourceVersion" not in object_.get("metadata", {}):
        raise Unavailable(f"{request}: {line[:200]!r} is no event")
    return WatchEvent(type_, object_)
