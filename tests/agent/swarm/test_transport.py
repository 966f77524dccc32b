"""Nodes as real processes on loopback: what they bring from outside, together."""

import asyncio
from pathlib import Path

from llmaz.agent.cache.state import Fetched, FetchFailed
from support.downloads import Downloads
from support.hub import Repository, serving
from support.swarmnodes import SwarmNode, swarm_nodes
from support.weights import gguf

SIZE = 24 * 2**20
MODEL = gguf(tensors=1, padding=SIZE)


def _hub(rate: int | None = None) -> tuple[dict[str, Repository], Downloads]:
    downloads = Downloads(bytes_a_second=rate)
    return {"acme/tiny": Repository({"model.gguf": MODEL}, downloads=downloads)}, downloads


def _right(outcome: Fetched | FetchFailed) -> bool:
    assert isinstance(outcome, Fetched), outcome
    return (
        Path(outcome.path) / "model.gguf" if Path(outcome.path).is_dir() else Path(outcome.path)
    ).read_bytes() == MODEL


async def test_a_second_node_takes_everything_from_the_first(tmp_path: Path) -> None:
    repositories, downloads = _hub()
    async with serving(repositories) as hub, swarm_nodes(tmp_path, ["a", "b"]) as (a, b):
        assert _right(await a.fetch(hub.url))
        before = downloads.sent
        assert _right(await b.fetch(hub.url))
    assert downloads.sent - before <= 0.05 * SIZE


async def test_nodes_that_start_together_bring_each_byte_from_outside_once(tmp_path: Path) -> None:
    repositories, downloads = _hub(rate=8 * 2**20)
    async with serving(repositories) as hub, swarm_nodes(tmp_path, ["a", "b", "c"]) as nodes:
        outcomes = await asyncio.gather(*(node.fetch(hub.url) for node in nodes))
    assert all(map(_right, outcomes))
    assert downloads.sent <= 1.5 * len(MODEL)  # three for themselves: 3


async def test_a_node_that_disappears_in_the_middle_takes_nobody_along(tmp_path: Path) -> None:
    repositories, _ = _hub(rate=4 * 2**20)
    async with serving(repositories) as hub, swarm_nodes(tmp_path, ["a", "b", "c"]) as nodes:
        fetches = [asyncio.create_task(node.fetch(hub.url)) for node in nodes]
        await nodes[0].has(SIZE // 3)
        await nodes[0].disappear(fetches[0])
        outcomes = await asyncio.gather(*fetches[1:])
    assert all(map(_right, outcomes))


async def test_a_node_whose_disk_rots_is_not_believed(tmp_path: Path) -> None:
    repositories, _downloads = _hub()
    async with serving(repositories) as hub, swarm_nodes(tmp_path, ["a", "b"]) as (a, b):
        assert _right(await a.fetch(hub.url))
        _flip(a)
        assert _right(await b.fetch(hub.url))


def _flip(node: SwarmNode) -> None:
    (blob,) = [
        p for p in (node.cache_dir / "store").rglob("*") if p.is_file() and p.stat().st_size > SIZE
    ]
    blob.chmod(0o644)
    with blob.open("r+b") as file:
        for at in range(0, SIZE, 2**20):
            file.seek(at + 77)
            byte = file.read(1)
            file.seek(at + 77)
            file.write(bytes([byte[0] ^ 1]))
