"""Brings what a client asks for and the cache lacks: one fetch a file, however many wait for it."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from llmaz.agent.cache.child import FetchChild
from llmaz.agent.cache.limits import read_limits
from llmaz.agent.cache.origin import HubRepository
from llmaz.agent.cache.remote import Listing
from llmaz.agent.cache.request import FetchRequest, Room
from llmaz.agent.cache.room import make_room
from llmaz.agent.cache.state import Fetched, FetchFailed
from llmaz.agent.mirror.assigned import Models, trees_of

logger = logging.getLogger(__name__)

FILES_AT_ONCE = 4

Fetch = asyncio.Task[Fetched | FetchFailed]


class Fetching:
    """Fetches under way. A client that goes away ends none: another may wait for the same file.

    evicted: told how many snapshots made room, each time
    """

    def __init__(
        self,
        cache_dir: Path,
        environ: Mapping[str, str],
        quota: int | None,
        models: Models,
        plain_http: tuple[str, ...] = (),
        evicted: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._evicted = evicted
        self._plain_http = plain_http
        self._cache_dir = cache_dir
        self._child = FetchChild(environ)
        self._quota = quota
        self._models = models
        self._evicting = asyncio.Lock()
        self._places = asyncio.Semaphore(FILES_AT_ONCE)
        self._under_way: dict[HubRepository, Fetch] = {}

    def fetch(
        self, origin: HubRepository, listing: Listing, credentials: Mapping[str, str]
    ) -> Fetch:
        """Return the fetch of one file, begun now or before. The caller may read the file.

        The listing, which the caller was just shown, is not asked for again for each of its files.
        """
        task = self._under_way.get(origin)
        if task is None:
            request = FetchRequest(
                origin=origin,
                cache_dir=str(self._cache_dir),
                credentials=credentials,
                plain_http=self._plain_http,
                listing=listing,
                streamed=True,
            )
            task = asyncio.create_task(self._bring(request))
            self._under_way[origin] = task
            task.add_done_callback(lambda _: self._under_way.pop(origin))
        return task

    def under_way(self) -> frozenset[Fetch]:
        return frozenset(self._under_way.values())

    async def aclose(self) -> None:
        """Stop the fetches under way; what they brought stays."""
        tasks = self.under_way()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _bring(self, request: FetchRequest) -> Fetched | FetchFailed:
        async with self._places:
            return await self._child.fetch(request, lambda _: None, self._room)

    async def _room(self, needed: int) -> Room:
        """Make room as the agent does: what is assigned to the node, or pinned, stays."""
        async with self._evicting:
            return await asyncio.to_thread(self._make_room, needed)

    def _make_room(self, needed: int) -> Room:
        keep = trees_of(self._cache_dir, self._models())
        limits = replace(read_limits(self._cache_dir), quota=self._quota)
        try:
            evicted, refusal = make_room(self._cache_dir, need=needed, keep=keep, limits=limits)
        except OSError as error:  # such as what the agent has evicted at the same moment
            return Room(refusal=f"room can't be made: {error}")
        self._evicted(len(evicted))
        for root in evicted:
            logger.info("evicted %s: it was used least recently", root)
        return Room(refusal=refusal)
