"""Answers a request for one file: from the disk, or while it comes. The same for both hubs."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from llmaz.agent.cache.names import first_unsafe
from llmaz.agent.cache.outcome import FetchFailed
from llmaz.agent.cache.remote import Listing, Refused, RemoteFile
from llmaz.agent.cache.room import touch
from llmaz.agent.cache.store import Tree
from llmaz.agent.mirror import answers
from llmaz.agent.mirror.catalogue import open_bytes
from llmaz.agent.mirror.fetching import Fetch, Fetching
from llmaz.agent.mirror.ranges import Unsatisfiable, wanted_range
from llmaz.agent.mirror.stream import Coming, SpoiledError, send_coming, send_verified
from llmaz.agent.mirror.upstream import Upstream

logger = logging.getLogger(__name__)

_LONGEST_TOKEN = 4096
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A file of a repository that a client asks for, with its token."""

    repository: str
    listing: Listing
    file: RemoteFile
    token: str | None


class Files:
    """The files of one hub. `fetching`: None serves what is in the cache alone.

    why_not: says of a repository's home and a client's address why nothing is fetched for it
    """

    def __init__(
        self,
        cache_dir: Path,
        upstream: Upstream,
        fetching: Fetching | None,
        why_not: Callable[[tuple[str, str], str | None], str | None] = lambda _home, _remote: None,
    ) -> None:
        self._cache_dir = cache_dir
        self._upstream = upstream
        self._fetching = fetching
        self._why_not = why_not
        self._spoiled: set[str] = set()

    async def listing(self, repository: str, revision: str, token: str | None) -> Listing:
        """Return what the caller may see; raise `Refused` where a name of it can't be kept."""
        listing = await self._upstream.listing(repository, revision, token)
        unsafe = first_unsafe(file.path for file in listing.files)
        if unsafe is not None:
            words = f"{repository} has a file whose name {unsafe[1]}"
            raise Refused("RepositoryDisabled", words, passing=False)
        return listing

    async def answer(
        self, request: web.Request, repository: str, revision: str, path: str
    ) -> web.StreamResponse:
        """Send a file, or the range of it that is asked for, to who may read it."""
        token = token_of(request)
        listing = await self.listing(repository, revision, token)
        file = next((f for f in listing.files if f.path == path), None)
        if file is None:
            raise Refused("FileNotFound", f"{repository} has no {path}", passing=False)
        await self._upstream.check(repository, listing.commit, file, token)
        return await self._file(
            request, Wanted(repository=repository, listing=listing, file=file, token=token)
        )

    async def _file(self, request: web.Request, wanted: Wanted) -> web.StreamResponse:
        file = wanted.file
        headers = {
            "X-Repo-Commit": wanted.listing.commit,
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
        return await self._bytes(request, response, wanted, (start, end))

    async def _bytes(
        self,
        request: web.Request,
        response: web.StreamResponse,
        wanted: Wanted,
        span: tuple[int, int],
    ) -> web.StreamResponse:
        file = wanted.file
        held = await asyncio.to_thread(self._open, wanted)
        if held is None:
            home = (self._upstream.side.family, wanted.repository)
            why_not = await asyncio.to_thread(self._why_not, home, request.remote)
            if self._fetching is None or why_not is not None:
                words = why_not or "this cache fetches nothing for its clients"
                words = f"{file.path} is not in this cache: {words}"
                raise Refused("FileNotFound", words, passing=False)
            task = self._begin(self._fetching, wanted)
            coming = Coming(self._cache_dir, file.sha256 or "none", file.size)
            try:
                if await _has_begun(task, coming, file):
                    return await self._stream(request, response, coming, task, file, span)
            finally:
                coming.close()
            _raise_if_failed(task)
            held = await asyncio.to_thread(self._open, wanted)
        if held is None:
            raise Refused("FetchFailed", f"{file.path} can't be read", passing=True)
        await send_verified(request, response, held, *span)
        return response

    def _open(self, wanted: Wanted) -> int | None:
        """Open the bytes if they are here; what clients read counts as used."""
        family = self._upstream.side.family
        held = open_bytes(self._cache_dir, family, wanted.repository, wanted.file)
        if held is not None:
            tree = Tree.of(self._cache_dir, family, wanted.repository)
            touch(tree.snapshot(wanted.listing.commit))
        return held

    def _begin(self, fetching: Fetching, wanted: Wanted) -> Fetch:
        repository, commit = wanted.repository, wanted.listing.commit
        side = self._upstream.side
        origin = side.origin(repository, commit, wanted.file.path)
        task = fetching.fetch(origin, wanted.listing, side.credentials(wanted.token))
        task.add_done_callback(lambda _: self._upstream.name_branch(repository, commit))
        return task

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


def token_of(request: web.Request) -> str | None:
    """Return the token that a client sent, as a header or, as ModelScope's does, as a cookie."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        token = request.cookies.get("m_session_id", "")
    token = token.strip()
    right = token.isascii() and token.isprintable()
    return token if right and 0 < len(token) <= _LONGEST_TOKEN else None
