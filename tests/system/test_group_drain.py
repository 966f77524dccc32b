"""A group that goes: its leader finishes its streams, and its worker is there for it until then."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from llmaz.api.kinds import SERVICE
from llmaz.api.manifest import Manifest
from llmaz.api.node import EngineReport, NodeStatus
from llmaz.kube import Kube
from support.machine import is_alive
from support.nodes import Node
from support.twonodes import LEADER, WORKER, group_members, member, pair, running_pair

pytestmark = pytest.mark.timeout(500)

TOKENS = 40
STREAMS = 4


async def stream(url: str, begun: asyncio.Event) -> int:
    """Ask for a long answer, and return how many of its tokens came before its end did."""
    body = {"model": "tiny", "prompt": "Hi", "max_tokens": TOKENS, "stream": True}
    count, done = 0, False
    async with aiohttp.ClientSession() as client, client.post(url, json=body) as answer:
        async for line in answer.content:
            begun.set()
            count += b'"text"' in line
            done = done or b"[DONE]" in line
    assert done, f"broke off after {count} tokens"
    return count


async def gone(nodes: tuple[Node, Node]) -> None:
    def is_empty(status: NodeStatus) -> bool:
        return status.engines == ()

    for one in nodes:
        await one.until(is_empty, "engines are left")


async def watch_worker(worker: EngineReport, streams: "list[asyncio.Task[int]]") -> None:
    """See to it that the worker lives for as long as any stream goes on."""
    assert worker.pid is not None
    while not all(one.done() for one in streams):
        if not is_alive(worker.pid):  # what has come by now may not have been read yet
            _, left = await asyncio.wait(streams, timeout=30)
            assert not left, "the worker went before the streams"
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("change", ["scaled down", "updated"])
async def test_no_stream_of_a_group_that_goes_breaks_off(tmp_path: Path, change: str) -> None:
    async with running_pair(tmp_path, slow_pair()) as (kube, nodes):
        before = await group_members(nodes)
        await finish_streams(kube, before, slow_pair(change))
        if change == "scaled down":
            await gone(nodes)
        else:
            await renewed(nodes, before)


async def finish_streams(kube: Kube, group: dict[str, EngineReport], wanted: Manifest) -> None:
    """Have long answers under way while the group is told to go."""
    leader = group[LEADER]
    url = f"http://127.0.0.1:{leader.port}/v1/completions"
    begun = [asyncio.Event() for _ in range(STREAMS)]
    streams = [asyncio.create_task(stream(url, one)) for one in begun]
    async with asyncio.timeout(120):
        await asyncio.gather(*(one.wait() for one in begun))
    await kube.apply(SERVICE, wanted, manager="tests")
    await watch_worker(group[WORKER], streams)
    assert await asyncio.gather(*streams) == [TOKENS] * STREAMS


async def renewed(nodes: tuple[Node, Node], before: dict[str, EngineReport]) -> None:
    """Wait until both members run as they were updated."""
    for node_, id_ in zip(nodes, (LEADER, WORKER), strict=True):
        old = before[id_].fingerprint

        def is_new(status: NodeStatus, id_: str = id_, old: str = old) -> bool:
            reports = {one.id: one for one in status.engines or ()}
            found = reports.get(id_)
            return found is not None and found.phase == "Ready" and found.fingerprint != old

        await node_.until(is_new, f"{id_} is not renewed")


def slow_pair(change: str = "") -> Manifest:
    more = ("--chatter",) if change == "updated" else ()
    slow = member("--token-seconds", "0.25", *more, grace=120)
    return pair(slow, replicas=0 if change == "scaled down" else 1)
