"""Peers that say what is not so: a fetch ends well beside them, in bounded time."""

import hashlib
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from llmaz.agent.cache.outcome import Fetched
from llmaz.agent.swarm.peering import peers_path, write_peers
from llmaz.api.peer import ModelPeer
from support.badpeers import empty_handed, mute
from support.hub import Repository, serving
from support.swarmnodes import swarm_nodes

MODEL = random.Random(20261123).randbytes(6 * 2**20)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("bad", [mute, empty_handed])
async def test_a_peer_that_does_not_bring_what_it_says_it_has_is_done_without(
    bad: Callable[[bytes], AbstractAsyncContextManager[str]], tmp_path: Path
) -> None:
    hub = {"acme/tiny": Repository({"model.gguf": MODEL})}
    async with serving(hub) as served, swarm_nodes(tmp_path, ["a"]) as (a,), bad(MODEL) as url:
        peers = [ModelPeer(name="a", url=a.served.url), ModelPeer(name="bad", url=url)]
        write_peers(peers_path(a.cache_dir, "model"), peers)
        outcome = await a.fetch(served.url)
    assert isinstance(outcome, Fetched)
    found = Path(outcome.path)
    assert hashlib.sha256(found.read_bytes()).digest() == hashlib.sha256(MODEL).digest()
    assert a.told[-1].tally.from_peers == 0
