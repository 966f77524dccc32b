"""A hub with a model of every sort of file, and processes that fetch it, die, and are judged."""

import asyncio
import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from support.disks import KEY, Ended, Works
from support.downloads import Downloads
from support.hub import Repository, serving
from support.soundness import there, wrongs
from support.weights import safetensors

FILES = {
    "model.safetensors": safetensors(size=2**19),
    "config.json": b'{"a": 1}',
    "tokenizer/名前.json": b"[]",
    "TOKENIZER/same-but-for-case.json": b"{}",
    "tokenizer/same-but-for-case.json": b"{ }",
    "empty.txt": b"",
}
LARGE = len(FILES["model.safetensors"])
SIZE = sum(map(len, FILES.values()))
SMALL = SIZE - LARGE
# What a fetch of these does at most: a test fails where there are more by now.
FETCH_EFFECTS = 230


@dataclass
class Trials:
    """A hub that counts what it sent, and processes that fetch from it."""

    works: Works
    downloads: Downloads

    async def fetch(
        self,
        cache_dir: Path,
        *,
        die_at: int = 0,
        refuse_at: int = 0,
        error: int = 0,
        sync_at: int = 0,
    ) -> Ended:
        work = functools.partial(self.works.do, "fetch", cache_dir)
        return await asyncio.to_thread(
            work, die_at=die_at, refuse_at=refuse_at, error=error, sync_at=sync_at
        )

    async def check_next(self, cache_dir: Path, what: str) -> None:
        """Judge what is there, fetch again, and judge that.

        Git's files, which are known by git's digest alone until they are shown, may come again.
        """
        assert wrongs(cache_dir, FILES, KEY) == [], what
        missing = LARGE - there(cache_dir, LARGE)
        self.downloads.sent = 0
        again = await self.fetch(cache_dir)
        assert (again.code, again.outcome) == (0, ""), what
        assert self.downloads.sent <= missing + SMALL, what
        assert wrongs(cache_dir, FILES, KEY) == [], what
        assert list(cache_dir.glob("partial/*.data")) == [], what


@asynccontextmanager
async def trials() -> AsyncIterator[Trials]:
    """Serve the model inside the `with` block."""
    downloads = Downloads()
    async with serving({"acme/tiny": Repository(FILES, downloads=downloads)}) as hub:
        works = Works(hub.url)
        try:
            yield Trials(works, downloads)
        finally:
            await asyncio.to_thread(works.end)
