"""Nodes that share: each a cache directory, its sharing process, and fetches by the real child."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from llmaz.agent.cache.child import FetchChild
from llmaz.agent.cache.origin import HubRepository
from llmaz.agent.cache.outcome import Fetched, FetchFailed
from llmaz.agent.cache.request import FetchRequest, Progress
from llmaz.agent.sharing.child import SharingChild
from llmaz.agent.sharing.tls import TlsFiles
from llmaz.agent.swarm.peering import Peering, peers_path, write_peers
from llmaz.api.peer import ModelPeer
from support import rooms
from support.sharing import sharing, token_file


@dataclass
class SwarmNode:
    """One node of a test."""

    name: str
    cache_dir: Path
    served: SharingChild
    running: AsyncExitStack
    token: Path
    tls: TlsFiles | None = None
    zone: str = ""
    told: list[Progress] = field(default_factory=list)

    async def fetch(self, url: str) -> Fetched | FetchFailed:
        """Bring the hub's model, with whoever else wants it."""
        peering = Peering(
            node=self.name,
            peers_file=str(peers_path(self.cache_dir, "model")),
            token_file=str(self.token),
            tls=self.tls,
        )
        request = FetchRequest(
            origin=HubRepository(repository="acme/tiny", revision="main"),
            cache_dir=str(self.cache_dir),
            peering=peering,
        )
        environ = {**os.environ, "HF_ENDPOINT": url}
        return await FetchChild(environ).fetch(request, self.told.append, rooms.plenty)

    @property
    def sharing_pid(self) -> int:
        for child in psutil.Process().children():
            with suppress(psutil.NoSuchProcess):  # another, which ends just now
                if f"--cache-dir={self.cache_dir}" in child.cmdline():
                    return child.pid
        raise AssertionError(f"{self.name} has no process that shares")

    async def has(self, count: int) -> None:
        """Wait until so many bytes are here."""
        async with asyncio.timeout(600):  # a test that takes so long ends before, unless it is slow
            while not self.told or self.told[-1].bytes_done < count:
                await asyncio.sleep(0.02)

    async def disappear(self, fetch: asyncio.Task[Fetched | FetchFailed]) -> None:
        """Lose the fetch and the sharing process at once, as a machine does that goes down."""
        fetch.cancel()
        await asyncio.gather(fetch, return_exceptions=True)
        await self.running.aclose()


@asynccontextmanager
async def swarm_nodes(
    folder: Path, names: Sequence[str], *, tls: TlsFiles | None = None
) -> AsyncIterator[list[SwarmNode]]:
    """Run the sharing processes of nodes that know each other inside the `with` block."""
    token = token_file(folder)
    async with AsyncExitStack() as stack:
        nodes = []
        for name in names:
            running = await stack.enter_async_context(AsyncExitStack())
            cache_dir = folder / name
            cache_dir.mkdir()
            served = await running.enter_async_context(
                sharing(cache_dir, name=name, token=token, tls=tls)
            )
            nodes.append(SwarmNode(name, cache_dir, served, running, token, tls))
        peers = [ModelPeer(name=node.name, url=node.served.url) for node in nodes]
        for node in nodes:
            write_peers(peers_path(node.cache_dir, "model"), peers)
        yield nodes
