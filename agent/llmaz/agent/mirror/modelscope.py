"""What ModelScope's clients ask of the endpoint, and how its hub would answer.

They are pointed to it by MODELSCOPE_ENDPOINT. By MODELSCOPE_DOMAIN, which names a host alone, they
insist on TLS.
"""

from collections.abc import Callable
from typing import TypeAlias

from aiohttp import web

from llmaz.agent.cache.remote import Listing, Refused
from llmaz.agent.mirror import answers
from llmaz.agent.mirror.files import Files, token_of
from llmaz.agent.mirror.paths import Asked, checked
from llmaz.api.manifest import Manifest

DEFAULT_BRANCH = "master"
_WHERE = "/api/v1/models/{owner}/{name}"
_Describe: TypeAlias = Callable[[Asked, Listing], Manifest]


class ModelScopeMirror:
    """One node's endpoint for clients of ModelScope."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(_WHERE, self._about),
            web.get(f"{_WHERE}/revisions", self._revisions),
            web.get(f"{_WHERE}/repo/files", self._list),
            web.get(f"{_WHERE}/repo", self._file),
        ]

    async def _about(self, request: web.Request) -> web.StreamResponse:
        def describe(asked: Asked, _: Listing) -> Manifest:
            owner, _slash, name = asked.repository.partition("/")
            return {"Path": owner, "Name": name, "Revision": asked.revision}

        return await self._described(request, describe)

    async def _revisions(self, request: web.Request) -> web.StreamResponse:
        def describe(asked: Asked, _: Listing) -> Manifest:
            branch: Manifest = {"Revision": asked.revision}
            return {"RevisionMap": {"Branches": [branch], "Tags": []}}

        return await self._described(request, describe)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        recursive = request.query.get("Recursive", "").lower() == "true"
        folder = request.query.get("Root", "").strip("/")

        def describe(asked: Asked, listing: Listing) -> Manifest:
            found = answers.entries(listing, folder, recursive=recursive)
            return {"Files": [_entry(entry, asked.revision) for entry in found]}

        return await self._described(request, describe)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        asked = _asked(request, request.query.get("FilePath", ""))
        if asked is None or not asked.path:
            return _error(404, "no file of a hub has this name")
        try:
            return await self._files.answer(request, asked.repository, asked.revision, asked.path)
        except Refused as refused:
            return _refusal(refused, request)

    async def _described(self, request: web.Request, describe: _Describe) -> web.StreamResponse:
        asked = _asked(request)
        if asked is None:
            return _error(404, "no repository of a hub has this name")
        try:
            listing = await self._files.listing(asked.repository, asked.revision, token_of(request))
        except Refused as refused:
            return _refusal(refused, request)
        said = {"Code": 200, "Success": True, "Data": describe(asked, listing)}
        return web.json_response(said)


def _asked(request: web.Request, path: str = "") -> Asked | None:
    owner, name = request.match_info["owner"], request.match_info["name"]
    revision = request.query.get("Revision") or DEFAULT_BRANCH
    asked = Asked(what="resolve", repository=f"{owner}/{name}", revision=revision, path=path)
    return checked(asked)


def _entry(entry: Manifest, revision: str) -> Manifest:
    path, large = str(entry["path"]), entry.get("lfs")
    return {
        "Path": path,
        "Name": path.rpartition("/")[2],
        "Type": "blob" if entry["type"] == "file" else "tree",
        "Size": entry["size"],
        "Sha256": large.get("oid") if isinstance(large, dict) else "",
        "Revision": revision,
    }


def _refusal(refused: Refused, request: web.Request) -> web.Response:
    status, _ = answers.status_of(refused, has_token=token_of(request) is not None)
    return _error(status, refused.failure.message)


def _error(status: int, message: str) -> web.Response:
    said = {"Code": status, "Success": False, "Message": " ".join(message.split())}
    return web.json_response(said, status=status)
