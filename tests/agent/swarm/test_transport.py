"""Nodes as real processes on loopback: what they bring from outside, together."""

import asyncio
import hashlib
from pathlib import Path

import pytest

from llmaz.agent.cache.chunkmap import write_chunkmap
from llmaz.agent.cache.outcome import Fetched, FetchFailed
from llmaz.agent.cache.wanted import Wish
from llmaz.agent.swarm.choice import bits
from llmaz.agent.swarm.chunks import chunk_count, chunk_size, chunks_of_stripe, span_of
from llmaz.agent.swarm.owners import shares
from llmaz.agent.swarm.peering import peers_path, write_peers
from llmaz.agent.swarm.values import Limits
from llmaz.api.peer import ModelPeer
from support.attempts import best_within
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
    """A node that is silent for seconds is done without, so that the best of a few counts."""
    await best_within(SIZE / 4, _sent_to_a_second, tmp_path, "bytes from outside")


async def _sent_to_a_second(folder: Path) -> float:
    repositories, downloads = _hub()
    async with serving(repositories) as hub, swarm_nodes(folder, ["a", "b"]) as (a, b):
        assert _right(await a.fetch(hub.url))
        before = downloads.sent
        assert _right(await b.fetch(hub.url))
    sent = downloads.sent - before
    assert sent + b.told[-1].tally.by_relation["rack"] >= SIZE  # neither says where it is
    return sent


async def test_nodes_that_start_together_take_from_each_other(tmp_path: Path) -> None:
    # Less than what three would bring for themselves.
    await best_within(2.9, _ratio_of_three, tmp_path, "bytes from outside over the file")


async def _ratio_of_three(folder: Path) -> float:
    repositories, downloads = _hub(rate=8 * 2**20)
    async with serving(repositories) as hub, swarm_nodes(folder, ["a", "b", "c"]) as nodes:
        outcomes = await asyncio.gather(*(node.fetch(hub.url) for node in nodes))
    assert all(map(_right, outcomes))
    return downloads.sent / len(MODEL)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_nodes_of_two_zones_take_a_model_over_their_border_once(tmp_path: Path) -> None:
    # Two, where a node takes what it lacks from anywhere.
    await best_within(1.5, _ratio_over_a_border, tmp_path, "bytes over the border over the file")


async def _ratio_over_a_border(folder: Path) -> float:
    repositories, _ = _hub(rate=4 * 2**20)
    async with serving(repositories) as hub, swarm_nodes(folder, list("abcd")) as nodes:
        urls = [(node.name, node.served.url) for node in nodes]
        zones = dict.fromkeys("ab", "east") | dict.fromkeys("cd", "west")
        peers = [ModelPeer(name=name, url=url, zone=zones[name]) for name, url in urls]
        for node in nodes:
            write_peers(peers_path(node.cache_dir, "model"), peers)
        outcomes = await asyncio.gather(*(node.fetch(hub.url) for node in nodes))
    assert all(map(_right, outcomes))
    return sum(node.told[-1].tally.by_relation.get("none", 0) for node in nodes) / SIZE


async def test_a_node_that_disappears_in_the_middle_takes_nobody_along(tmp_path: Path) -> None:
    repositories, _ = _hub(rate=4 * 2**20)
    async with serving(repositories) as hub, swarm_nodes(tmp_path, ["a", "b", "c"]) as nodes:
        fetches = [asyncio.create_task(node.fetch(hub.url)) for node in nodes]
        await nodes[0].has(SIZE // 3)
        await nodes[0].disappear(fetches[0])
        outcomes = await asyncio.gather(*fetches[1:])
    assert all(map(_right, outcomes))


async def test_what_a_reader_waits_for_is_fetched_before_the_rest(tmp_path: Path) -> None:
    repositories, downloads = _hub()
    key, count = hashlib.sha256(MODEL).hexdigest(), chunk_count(len(MODEL))
    shared = shares(key, count, chunks_of_stripe(len(MODEL)), frozenset("ab"))
    mine = list(bits(shared.of["a"]))  # it begins with these, from the front
    async with serving(repositories) as hub, swarm_nodes(tmp_path, ["a", "b"]) as (a, _):
        wish = Wish(a.cache_dir, key, "reader")
        wish.tell(span_of(mine[-1], len(MODEL))[0])
        assert _right(await a.fetch(hub.url))
    asked = [start // chunk_size(len(MODEL)) for start, _ in downloads.asked]
    assert asked.index(mine[-1]) < asked.index(mine[-2])


async def test_a_node_whose_disk_rots_is_not_believed(tmp_path: Path) -> None:
    repositories, downloads = _hub()
    async with serving(repositories) as hub, swarm_nodes(tmp_path, ["a", "b"]) as (a, b):
        assert _right(await a.fetch(hub.url))
        _flip(a)
        before = downloads.sent
        downloads.bytes_a_second = 2**20  # there is time to ask `a` as well
        assert _right(await b.fetch(hub.url))
    assert downloads.sent - before >= len(MODEL)  # nothing of `a` was kept
    assert b.told[-1].tally.wrong_from_peers >= Limits().strikes
    assert b.told[-1].tally.peer_failures["wrong"] >= Limits().strikes
    assert b.told[-1].tally.banned == ("a",)


async def test_a_node_that_lies_in_bytes_and_digests_is_found_out_by_the_whole_file(
    tmp_path: Path,
) -> None:
    repositories, downloads = _hub()
    async with serving(repositories) as hub, swarm_nodes(tmp_path, ["a", "b"]) as (a, b):
        assert _right(await a.fetch(hub.url))
        data = _flip(a)
        steps = [data[span[0] : span[1]] for span in _spans(len(data))]
        digests = [hashlib.sha256(step).hexdigest() for step in steps]
        sha256 = hashlib.sha256(MODEL).hexdigest()
        write_chunkmap(a.cache_dir, sha256, len(data), sha256, digests)
        before = downloads.sent
        assert _right(await b.fetch(hub.url))
    assert downloads.sent - before >= len(MODEL)


def _spans(size: int) -> list[tuple[int, int]]:
    return [span_of(chunk, size) for chunk in range(chunk_count(size))]


def _flip(node: SwarmNode) -> bytes:
    """Change a bit in each chunk of the large file, and return its bytes."""
    (blob,) = [
        p for p in (node.cache_dir / "store").rglob("*") if p.is_file() and p.stat().st_size > SIZE
    ]
    data = bytearray(blob.read_bytes())
    for start, _ in _spans(len(data)):
        data[start] ^= 1
    blob.chmod(0o644)
    with blob.open("r+b") as file:  # in place, as a disk does it
        file.write(data)
    return bytes(data)
