"""Eight nodes as real processes, of which one dies, one lies and one is slow."""

import asyncio
import hashlib
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from llmaz.agent.cache.outcome import Fetched
from llmaz.agent.swarm.chunks import chunk_size
from llmaz.agent.swarm.peering import peers_path, write_peers
from llmaz.api.peer import ModelPeer
from support.badpeers import liar, slow_way_to
from support.downloads import Downloads
from support.hub import Repository, serving
from support.swarmnodes import SwarmNode, swarm_nodes

SIZE = 48 * 2**20
MODEL = random.Random(20261123).randbytes(SIZE)
SHA256 = hashlib.sha256(MODEL).digest()
NAMES = ("dying", "slow", "a", "b", "c", "d", "e")
ATTEMPTS = 3


@pytest.mark.slow
@pytest.mark.timeout(1200)
async def test_one_dies_one_lies_one_is_slow_and_all_others_have_the_model(tmp_path: Path) -> None:
    """On a machine so busy that nodes hear nothing of each other for seconds they rightly ask
    outside, so that the best of a few runs is held to the bound; all are held to the bytes.
    """
    excess = []
    for attempt in range(ATTEMPTS):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        excess.append(await _excess(folder))
        if excess[-1] <= 0.05 * len(MODEL):
            return
    pytest.fail(f"bytes beyond the model and what only the dead one held: {excess}")


async def _excess(folder: Path) -> float:
    """Let the fleet fetch; return the bytes that came from outside beyond those that had to."""
    downloads = Downloads(bytes_a_second=2**20)
    repositories = {"acme/tiny": Repository({"model.gguf": MODEL}, downloads=downloads)}
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(serving(repositories))
        nodes = await stack.enter_async_context(swarm_nodes(folder, NAMES))
        lies = await stack.enter_async_context(liar(MODEL))
        way = slow_way_to(nodes[1].served.url, bytes_a_second=2**18)
        urls = {node.name: node.served.url for node in nodes} | {"liar": lies}
        _list_peers(nodes, urls | {"slow": await stack.enter_async_context(way)})
        fetches = [asyncio.create_task(node.fetch(hub.url)) for node in nodes]
        await nodes[0].has(SIZE // 3)
        await nodes[0].disappear(fetches[0])
        outcomes = await asyncio.gather(*fetches[1:])
        for outcome in outcomes:
            assert isinstance(outcome, Fetched), outcome
            assert await asyncio.to_thread(_digest, Path(outcome.path)) == SHA256
        assert all(node.told[-1].tally.banned == ("liar",) for node in nodes[1:])
        held = _claimed(nodes[0].cache_dir)
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
