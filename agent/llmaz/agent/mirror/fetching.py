"""Brings what a client asks for and the cache lacks: one fetch a file, however many wait for it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from llmaz.agent.cache.child import FetchChild
from llmaz.agent.cache.limits import read_limits
from llmaz.agent.cache.origin import HubRepository, home_of
from llmaz.agent.cache.outcome import Fetched, FetchFailed
from llmaz.agent.cache.remote import Listing
from llmaz.agent.cache.request import FetchRequest, Progress, Room
from llmaz.agent.cache.room import make_room
from llmaz.agent.cache.tally import Tally
from llmaz.agent.mirror.assigned import Noted, trees_of
from llmaz.agent.mirror.counts import ClientCounts
from llmaz.agent.mirror.peers import ClientPeers
from llmaz.agent.swarm.peering import Peering

logger = logging.getLogger(__name__)

FILES_AT_ONCE = 4
SHARED_FROM = 2**20  # bytes; what is smaller comes sooner from outside than nodes are asked
PEERS_SECONDS = 5.0  # between two looks at who the peers of a fetch under way are

Fetch = asyncio.Task[Fetched | FetchFailed]


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRules:
    """What the fetches of clients keep to.

    noted: the last assignment; what it names stays in the cache
    quota: bytes of the whole cache
    plain_http: where a client's token may be sent without TLS
    peers: lists the nodes that may have what is fetched; None: nothing is shared
    """

    noted: Noted
    quota: int | None = None
    plain_http: tuple[str, ...] = ()
    peers: ClientPeers | None = None
    counts: ClientCounts = field(default_factory=ClientCounts)


class Fetching:
    """Fetches under way. A client that goes away ends none: another may wait for the same file."""

    def __init__(self, cache_dir: Path, environ: Mapping[str, str], rules: FetchRules) -> None:
        self._cache_dir = cache_dir
        self._child = FetchChild(environ)
        self._rules = rules
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
                plain_http=self._rules.plain_http,
                listing=listing,
                streamed=True,
            )
            size = sum(file.size for file in listing.files if file.path == origin.filename)
            shared = size >= SHARED_FROM
            task = asyncio.create_task(self._bring(request, self._rules.peers if shared else None))
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

    async def _bring(
        self, request: FetchRequest, peers: ClientPeers | None
    ) -> Fetched | FetchFailed:
        told = Tally()

        def tell(progress: Progress) -> None:
            nonlocal told
            self._rules.counts.told(told, progress.tally)
            told = progress.tally

        async with self._places, _listed(peers, home_of(request.origin)) as peering:
            request = replace(request, peering=peering)
            return await self._child.fetch(request, tell, self._room)

    async def _room(self, needed: int) -> Room:
        """Make room as the agent does: what is assigned to the node, or pinned, stays."""
        async with self._evicting:
            return await asyncio.to_thread(self._make_room, needed)

    def _make_room(self, needed: int) -> Room:
        keep = trees_of(self._cache_dir, self._rules.noted())
        limits = replace(read_limits(self._cache_dir), quota=self._rules.quota)
        try:
            evicted, refusal = make_room(self._cache_dir, need=needed, keep=keep, limits=limits)
        except OSError as error:  # such as what the agent has evicted at the same moment
            return Room(refusal=f"room can't be made: {error}")
        self._rules.counts.evicted(len(evicted))
        for root in evicted:
            logger.info("evicted %s: it was used least recently", root)
        return Room(refusal=refusal)


@asynccontextmanager
async def _listed(
    peers: ClientPeers | None, home: tuple[str, str]
) -> AsyncIterator[Peering | None]:
    """List the peers inside the `with` block, those that come meanwhile as well."""
    if peers is None:
        yield None
        return
    with peers.listing(home) as share:
        peering = await asyncio.to_thread(share)
        renewing = asyncio.create_task(_renew(share))
        try:
            yield peering
        finally:
            renewing.cancel()


async def _renew(share: Callable[[], object]) -> None:
    while True:
        await asyncio.sleep(PEERS_SECONDS)
        await asyncio.to_thread(share)
