"""Eight nodes as real processes: one dies, one lies, one is slow, and all of that at once."""

import asyncio
import hashlib
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from llmaz.agent.cache.outcome import Fetched
from llmaz.agent.swarm.chunks import chunk_size
from llmaz.agent.swarm.peering import peers_path, write_peers
from llmaz.api.peer import ModelPeer
from support.attempts import best_within
from support.badpeers import liar, slow_way_to
from support.downloads import Downloads
from support.hub import Repository, serving
from support.swarmnodes import SwarmNode, swarm_nodes

SIZE = 48 * 2**20
MODEL = random.Random(20261123).randbytes(SIZE)
SHA256 = hashlib.sha256(MODEL).digest()
NAMES = ("dying", "slow", "a", "b", "c", "d", "e", "f")


@dataclass(frozen=True, kw_only=True)
class Ills:
    """What befalls a fleet."""

    dies: bool = False
    lies: bool = False
    slow: bool = False


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "ills",
    [
        pytest.param(Ills(dies=True), id="one dies"),
        pytest.param(Ills(lies=True), id="one lies"),
        pytest.param(Ills(slow=True), id="one is slow"),
        pytest.param(Ills(dies=True, lies=True, slow=True), id="all of that"),
    ],
)
async def test_all_others_have_the_model(tmp_path: Path, ills: Ills) -> None:
    """On a machine so busy that nodes hear nothing of each other for seconds they rightly ask
    outside, so that the best of a few runs is held to the bound; all are held to the bytes.
    """
    what = "bytes beyond the model and what only the dead one held"
    await best_within(0.05 * len(MODEL), lambda folder: _excess(folder, ills), tmp_path, what)


async def _excess(folder: Path, ills: Ills) -> float:
    """Let the fleet fetch; return the bytes that came from outside beyond those that had to."""
    downloads = Downloads(bytes_a_second=2**20)
    repositories = {"acme/tiny": Repository({"model.gguf": MODEL}, downloads=downloads)}
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(serving(repositories))
        nodes = await stack.enter_async_context(swarm_nodes(folder, NAMES))
        urls = {node.name: node.served.url for node in nodes}
        if ills.lies:
            urls["liar"] = await stack.enter_async_context(liar(MODEL))
        if ills.slow:
            way = slow_way_to(urls["slow"], bytes_a_second=2**18)
            urls["slow"] = await stack.enter_async_context(way)
        _list_peers(nodes, urls)
        fetches = {node.name: asyncio.create_task(node.fetch(hub.url)) for node in nodes}
        held = 0
        if ills.dies:
            await nodes[0].has(SIZE // 3)
            await nodes[0].disappear(fetches.pop("dying"))
            held = _claimed(nodes[0].cache_dir)
        for outcome in await asyncio.gather(*fetches.values()):
            assert isinstance(outcome, Fetched), outcome
            assert await asyncio.to_thread(_digest, Path(outcome.path)) == SHA256
        banned = ("liar",) if ills.lies else ()
        assert all(node.told[-1].tally.banned == banned for node in nodes if node.name in fetches)
    return downloads.sent - len(MODEL) - held


def _claimed(cache_dir: Path) -> int:
    """Return how many bytes a node has brought from outside, or had begun to bring."""
    (journal,) = (cache_dir / "partial").glob("*.journal")
    claims = {line.split()[1] for line in journal.read_text().splitlines() if "claim" in line}
    return len(claims) * chunk_size(len(MODEL))


def _list_peers(nodes: Sequence[SwarmNode], urls: dict[str, str]) -> None:
    peers = [ModelPeer(name=name, url=url) for name, url in urls.items()]
    for node in nodes:
        write_peers(peers_path(node.cache_dir, "model"), peers)


def _digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()
