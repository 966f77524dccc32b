"""The routes of the endpoint, thin: who may read is asked first, then the disk, then the hub."""

import asyncio
import json
import logging
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs

from aiohttp import web

from llmaz.agent.cache.names import first_unsafe
from llmaz.agent.cache.remote import Listing, Refused, RemoteFile
from llmaz.agent.cache.state import FetchFailed
from llmaz.agent.mirror import answers
from llmaz.agent.mirror.catalogue import open_bytes
from llmaz.agent.mirror.fetching import Fetch, Fetching
from llmaz.agent.mirror.paths import DEFAULT_REVISION, Asked, asked_of
from llmaz.agent.mirror.ranges import Unsatisfiable, wanted_range
from llmaz.agent.mirror.stream import Coming, SpoiledError, send_coming, send_verified
from llmaz.agent.mirror.upstream import Upstream

logger = logging.getLogger(__name__)

_LONGEST_TOKEN = 4096
_MOST_PATHS = 2**20  # bytes of a body that lists paths
_POLL_SECONDS = 0.05


class Mirror:
    """One node's endpoint. `fetching`: None serves what is in the cache alone.

    why_not: says of a repository and a client's address why nothing is fetched for it
    """

    def __init__(
        self,
        cache_dir: Path,
        upstream: Upstream,
        fetching: Fetching | None,
        why_not: Callable[[str, str | None], str | None] = lambda _repository, _remote: None,
    ) -> None:
        self._cache_dir = cache_dir
        self._upstream = upstream
        self._fetching = fetching
        self._why_not = why_not
        self._spoiled: set[str] = set()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/whoami-v2", self._whoami),
            web.get("/api/models/{rest:.+}", self._api),
            web.post("/api/models/{rest:.+}", self._api),
            web.get("/{rest:.+}", self._resolve),
        ]

    async def _whoami(self, _: web.Request) -> web.StreamResponse:
        return _error(401, "", "this endpoint knows no users: it passes tokens on to the hub")

    async def _api(self, request: web.Request) -> web.StreamResponse:
        asked = _asked(request)
        if asked is None or asked.what == "resolve":
            return _error(404, "RepoNotFound", "no repository of a hub has this name")
        if (request.method == "POST") != (asked.what == "paths-info"):
            raise web.HTTPMethodNotAllowed(request.method, ["GET"])
        try:
            listing = await self._listing(asked, _token(request))
        except Refused as refused:
            return _refusal(refused, request)
        return await _described(request, asked, listing)

    async def _resolve(self, request: web.Request) -> web.StreamResponse:
        asked = _asked(request)
        if asked is None or asked.what != "resolve" or not asked.path:
            return _error(404, "EntryNotFound", "no file of a hub has this name")
        token = _token(request)
        try:
            listing = await self._listing(asked, token)
            file = next((f for f in listing.files if f.path == asked.path), None)
            if file is None:
                words = f"{asked.repository} has no {asked.path}"
                raise Refused("FileNotFound", words, passing=False)
            await self._upstream.check(asked.repository, listing.commit, asked.path, token)
            return await self._file(request, asked.repository, listing.commit, file)
        except Refused as refused:
            return _refusal(refused, request)

    async def _listing(self, asked: Asked, token: str | None) -> Listing:
        listing = await self._upstream.listing(asked.repository, asked.revision, token)
        unsafe = first_unsafe(file.path for file in listing.files)
        if unsafe is not None:
            words = f"{asked.repository} has a file whose name {unsafe[1]}"
            raise Refused("RepositoryDisabled", words, passing=False)
        return listing

    async def _file(
        self, request: web.Request, repository: str, commit: str, file: RemoteFile
    ) -> web.StreamResponse:
        headers = {
            "X-Repo-Commit": commit,
            "ETag": answers.etag_of(file),
            "X-Linked-Etag": answers.etag_of(file),
            "X-Linked-Size": str(file.size),
            "Accept-Ranges": "bytes",
            "Content-Type": "application/octet-stream",
        }
        if request.headers.get("If-None-Match") in (headers["ETag"], "*"):
            return web.Response(status=304, headers=headers)
        asked = None if file.sha256 in self._spoiled else request.headers.get("Range")
        try:
            span = wanted_range(asked, file.size)
        except Unsatisfiable:
            headers["Content-Range"] = f"bytes */{file.size}"
            return web.Response(status=416, headers=headers)
        response = web.StreamResponse(status=206 if span else 200, headers=headers)
        start, end = span or (0, file.size)
        if span:
            response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
        response.content_length = end - start
        if request.method == "HEAD":
            await response.prepare(request)
            return response
        return await self._bytes(request, response, (repository, commit), file, (start, end))

    async def _bytes(
        self,
        request: web.Request,
        response: web.StreamResponse,
        where: tuple[str, str],
        file: RemoteFile,
        span: tuple[int, int],
    ) -> web.StreamResponse:
        repository, commit = where
        held = await asyncio.to_thread(open_bytes, self._cache_dir, repository, file)
        if held is None:
            why_not = await asyncio.to_thread(self._why_not, repository, request.remote)
            if self._fetching is None or why_not is not None:
                words = why_not or "this cache fetches nothing for its clients"
                return _error(404, "EntryNotFound", f"{file.path} is not in this cache: {words}")
            task = self._fetching.fetch(repository, commit, file.path, _token(request))
            task.add_done_callback(lambda _: self._upstream.name_branch(repository, commit))
            coming = Coming(self._cache_dir, file.sha256 or "none", file.size)
            try:
                if await _has_begun(task, coming, file):
                    return await self._stream(request, response, coming, task, file, span)
            finally:
                coming.close()
            _raise_if_failed(task)
            held = await asyncio.to_thread(open_bytes, self._cache_dir, repository, file)
        if held is None:
            raise Refused("FetchFailed", f"{file.path} can't be read", passing=True)
        await send_verified(request, response, held, *span)
        return response

    async def _stream(
        self,
        request: web.Request,
        response: web.StreamResponse,
        coming: Coming,
        task: Fetch,
        file: RemoteFile,
        span: tuple[int, int],
    ) -> web.StreamResponse:
        await response.prepare(request)
        try:
            await send_coming(request, coming, start=span[0], end=span[1], ended=task.done)
        except SpoiledError:
            if file.sha256 is not None and coming.is_discarded():
                self._spoiled.add(file.sha256)
            logger.warning("%s was cut off: its fetch did not end well", file.path)
            if request.transport is not None:
                request.transport.abort()
            return response
        await response.write_eof()
        return response


async def _described(request: web.Request, asked: Asked, listing: Listing) -> web.Response:
    commit = {"X-Repo-Commit": listing.commit}
    match asked.what:
        case "refs":
            branch = {"name": DEFAULT_REVISION, "ref": "refs/heads/main", "targetCommit": ""}
            branches = [{**branch, "targetCommit": listing.commit}]
            return web.json_response({"branches": branches, "tags": [], "converts": []})
        case "tree":
            return _tree(request, asked, listing)
        case "paths-info":
            wanted = await _paths(request)
            if wanted is None:
                return _error(400, "", "the body must be a list of paths: {'paths': [...]}")
            return web.json_response(answers.about_paths(listing, wanted), headers=commit)
        case _:
            return web.json_response(answers.describe(asked.repository, listing), headers=commit)


def _tree(request: web.Request, asked: Asked, listing: Listing) -> web.Response:
    recursive = request.query.get("recursive", "").lower() in ("true", "1")
    found = answers.entries(listing, asked.path, recursive=recursive)
    if asked.path and not found:
        return _error(404, "EntryNotFound", f"{asked.repository} has no folder {asked.path}")
    query = request.query
    text, _, following = answers.page(
        found, cursor=query.get("cursor", ""), limit=query.get("limit", "")
    )
    response = web.Response(text=text, content_type="application/json")
    if following is not None:
        url = str(request.url.with_query(None))
        response.headers["Link"] = answers.next_link(url, query.items(), following)
    return response


async def _paths(request: web.Request) -> list[str] | None:
    body = await request.content.read(_MOST_PATHS + 1)
    while not request.content.at_eof() and len(body) <= _MOST_PATHS:
        body += await request.content.read(_MOST_PATHS)
    if len(body) > _MOST_PATHS:
        return None
    if request.content_type == "application/json":
        try:
            said = json.loads(body)
        except ValueError:
            return None
        paths = said.get("paths") if isinstance(said, dict) else None
    else:
        paths = parse_qs(body.decode("utf-8", "replace")).get("paths", [])  # a form
    wanted = [paths] if isinstance(paths, str) else paths
    if not isinstance(wanted, list) or not all(isinstance(path, str) for path in wanted):
        return None
    return wanted


def _asked(request: web.Request) -> Asked | None:
    return asked_of(request.rel_url.raw_path)


def _token(request: web.Request) -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip()
    right = scheme.lower() == "bearer" and token.isascii() and token.isprintable()
    return token if right and 0 < len(token) <= _LONGEST_TOKEN else None


async def _has_begun(task: Fetch, coming: Coming, file: RemoteFile) -> bool:
    """Wait until a file can be streamed; False when its fetch has ended, and it is known to all."""
    while not task.done():
        if file.sha256 is not None and coming.open():
            return True
        await asyncio.wait({task}, timeout=_POLL_SECONDS)
    return False


def _raise_if_failed(task: Fetch) -> None:
    if task.done():
        outcome = task.result()
        if isinstance(outcome, FetchFailed):
            raise Refused(outcome.reason, outcome.message, passing=outcome.passing)


def _refusal(refused: Refused, request: web.Request) -> web.Response:
    has_token = _token(request) is not None
    status, code = answers.status_of(refused, has_token=has_token)
    return _error(status, code, refused.failure.message)


def _error(status: int, code: str, message: str) -> web.Response:
    line = " ".join(message.split())
    headers = {"X-Error-Message": line.encode("ascii", "replace").decode()[:500]}
    if code:
        headers["X-Error-Code"] = code
    return web.json_response({"error": line}, status=status, headers=headers)
