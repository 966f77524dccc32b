"""Shims are started when they are needed, or a little before."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from llmaz.agent.engines.launch import Shims, shim_lives
from llmaz.shim import proc, protocol
from support.shims import wait_until


@asynccontextmanager
async def shims() -> AsyncIterator[Shims]:
    made = Shims(os.environ)
    try:
        yield made
    finally:
        await made.aclose()


async def spare() -> int:
    """Return the pid of the one that is prepared."""
    async with asyncio.timeout(20):
        while not (found := proc.descendants(os.getpid())):
            await asyncio.sleep(0.01)
    return found[0][0]


async def test_a_prepared_shim_is_the_next_one(state_dir: Path) -> None:
    directory = state_dir / "engines" / "default_fake-0"
    directory.mkdir(parents=True)
    async with shims() as made:
        made.prepare()
        prepared = await spare()
        client = await made.launch(directory, lambda: None)
        assert proc.start_time(prepared) is None  # it has detached itself, and its starter ended
        assert (client.status.state, client.status.run) == (protocol.IDLE, 0)
        await client.close()


async def test_a_prepared_shim_that_died_is_not_relied_on(state_dir: Path) -> None:
    directory = state_dir / "engines" / "default_fake-0"
    directory.mkdir(parents=True)
    async with shims() as made:
        made.prepare()
        os.kill(await spare(), 9)
        client = await made.connect(directory, lambda: None)
        assert client.status.state == protocol.IDLE
        await client.close()
    assert shim_lives(directory)


async def test_a_shim_that_is_not_needed_ends_with_the_agent() -> None:
    async with shims() as made:
        made.prepare()
        prepared = await spare()
    wait_until(lambda: proc.start_time(prepared) is None, "the spare shim has ended")
