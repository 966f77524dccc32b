"""Makes room for one fetch after the other, and counts what had to go for what."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from llmaz.agent.cache.limits import Limits
from llmaz.agent.cache.policy import Priority
from llmaz.agent.cache.request import Room
from llmaz.agent.cache.room import make_room

logger = logging.getLogger(__name__)


class RoomMaker:
    """The room of one cache directory. `settled` is called when something went."""

    def __init__(self, cache_dir: Path, limits: Limits, settled: Callable[[], None]) -> None:
        self._cache_dir = cache_dir
        self._limits = limits
        self._settled = settled
        self._turn = asyncio.Lock()
        self._evictions: Counter[str] = Counter(demand=0, prefetch=0)

    @property
    def evictions(self) -> Mapping[str, int]:
        """How many snapshots made room, by what wanted it: an engine, or a prefetch."""
        return dict(self._evictions)

    async def make(
        self, wanted_by: Priority, keep: Callable[[], Collection[Path]], needed: int
    ) -> Room:
        """Make room for a fetch; what `keep` says when its turn comes stays, here or not."""
        async with self._turn:
            evicted, refusal = await asyncio.to_thread(
                make_room, self._cache_dir, need=needed, keep=keep(), limits=self._limits
            )
        self._evictions[wanted_by] += len(evicted)
        for root in evicted:
            logger.info("evicted %s: it was used least recently", root)
        if evicted:
            self._settled()
        return Room(refusal=refusal)
