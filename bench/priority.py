"""A model that an engine waits for, while one ten times as large is fetched ahead of demand.

Both come over one link of a given rate. What counts is the share of the link that the demanded one
has from one second after its first byte to its last. The rival is the same without priorities,
first come, first served: both are demanded.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from harness.figures import options, report
from harness.origin import FILE, REPOSITORY
from harness.pacedhub import OTHER
from mirror import count, hub

from llmaz.agent.cache.child import FetchChild
from llmaz.agent.cache.origin import HubRepository
from llmaz.agent.cache.outcome import Fetched
from llmaz.agent.cache.policy import Priority
from llmaz.agent.cache.request import FetchRequest, Room

MEBIBYTE = 2**20
TIMES = 10
SETTLED_SECONDS = 1.0
BEGUN_SHARE = 0.1


async def plenty(_: int) -> Room:
    return Room()


@dataclass(frozen=True)
class Link:
    """A hub behind one link, and a cache."""

    url: str
    cache: Path
    size: int  # of what is demanded

    async def fetch(self, name: str, priority: Priority) -> None:
        origin = HubRepository(repository=REPOSITORY, revision="main", filename=name)
        request = FetchRequest(origin=origin, cache_dir=str(self.cache), priority=priority)
        child = FetchChild({**os.environ, "HF_ENDPOINT": self.url})
        outcome = await child.fetch(request, lambda _: None, plenty)
        if not isinstance(outcome, Fetched):
            raise SystemExit(f"{name} was not fetched: {outcome}")

    async def bytes_now(self) -> tuple[float, float]:
        """Return what has come of the large file, and of the demanded one."""
        said = await count(self.url)
        return said["bytes"] - said["other_bytes"], said["other_bytes"]


@asynccontextmanager
async def under_way(link: Link, priority: Priority) -> AsyncIterator[None]:
    """Fetch the large file inside the `with` block, as far as it comes."""
    task = asyncio.create_task(link.fetch(FILE, priority))
    try:
        async with asyncio.timeout(120):
            while (await link.bytes_now())[0] < BEGUN_SHARE * TIMES * link.size:
                await asyncio.sleep(0.05)
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def shared(link: Link, priority: Priority) -> tuple[float, float]:
    """Return the demanded file's share of the link, and the seconds that it took."""
    async with under_way(link, priority):
        started = time.monotonic()
        demanded = asyncio.create_task(link.fetch(OTHER, "demand"))
        while (await link.bytes_now())[1] == 0:
            await asyncio.sleep(0.05)
        await asyncio.sleep(SETTLED_SECONDS)
        before = await link.bytes_now()
        while not demanded.done() and (await link.bytes_now())[1] < link.size:
            await asyncio.sleep(0.05)
        after = await link.bytes_now()
        await demanded
    large, wanted = after[0] - before[0], after[1] - before[1]
    return wanted / max(1.0, wanted + large), time.monotonic() - started


def main() -> None:
    quick = options(__doc__ or "").quick
    size, rate, rounds = (64, 16, 1) if quick else (128, 32, 5)
    found: dict[Priority, list[tuple[float, float]]] = {"prefetch": [], "demand": []}
    with tempfile.TemporaryDirectory(prefix="llmaz-bench-") as scratch:
        large, wanted = Path(scratch) / "large", Path(scratch) / "wanted"
        large.write_bytes(os.urandom(TIMES * size * MEBIBYTE))
        wanted.write_bytes(os.urandom(size * MEBIBYTE))
        for number in range(rounds):
            for priority, figures in found.items():
                cache = Path(scratch) / f"{priority}-{number}"
                with hub(large, rate * MEBIBYTE, wanted) as url:
                    link = Link(url, cache, size * MEBIBYTE)
                    figures.append(asyncio.run(shared(link, priority)))
    ours, rival = found["prefetch"], found["demand"]
    report(
        demanded_bytes=size * MEBIBYTE,
        rounds=rounds,
        alone_s=size / rate,
        demanded_share=median(share for share, _ in ours),
        demanded_s=median(seconds for _, seconds in ours),
        without_priority_share=median(share for share, _ in rival),
        without_priority_s=median(seconds for _, seconds in rival),
    )


if __name__ == "__main__":
    main()
