"""Shims are started when they are needed, or a little before."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from llmaz.agent.engines.launch import Shims, shim_lives
from llmaz.shim import proc, protocol
from support.shims import is_running, wait_until


@asynccontextmanager
async def shims() -> AsyncIterator[Shims]:
    made = Shims(os.environ)
    try:
        yield made
    finally:
        await made.aclose()


async def prepared_by(made: Shims) -> int:
    """Have a spare one, and return its pid."""
    before = set(proc.descendants(os.getpid()))
    await made.prepare()
    (found,) = set(proc.descendants(os.getpid())) - before
    return found[0]


async def test_a_prepared_shim_is_the_next_one(state_dir: Path) -> None:
    directory = state_dir / "engines" / "default_fake-0"
    directory.mkdir(parents=True)
    async with shims() as made:
        prepared = await prepared_by(made)
        client = await made.launch(directory, lambda: None)
        # It has detached itself, and its starter has ended.
        wait_until(lambda: proc.start_time(prepared) is None, "the spare shim was used")
        assert (client.status.state, client.status.run) == (protocol.IDLE, 0)
        await client.close()


async def test_a_prepared_shim_that_died_is_not_relied_on(state_dir: Path) -> None:
    directory = state_dir / "engines" / "default_fake-0"
    directory.mkdir(parents=True)
    async with shims() as made:
        os.kill(await prepared_by(made), signal.SIGKILL)
        client = await made.connect(directory, lambda: None)
        assert client.status.state == protocol.IDLE
        await client.close()
    assert shim_lives(directory)


async def test_a_shim_that_is_not_needed_ends_with_the_agent() -> None:
    async with shims() as made:
        prepared = await prepared_by(made)
    wait_until(lambda: proc.start_time(prepared) is None, "the spare shim has ended")


async def test_a_launch_that_is_given_up_does_not_come_to_life_later(state_dir: Path) -> None:
    directory = state_dir / "engines" / "default_fake-0"
    directory.mkdir(parents=True)
    async with shims() as made:
        starter = await prepared_by(made)
        os.kill(starter, signal.SIGSTOP)  # as slow as can be
        launching = asyncio.create_task(made.launch(directory, lambda: None))
        await asyncio.sleep(0)
        launching.cancel()
        await asyncio.gather(launching, return_exceptions=True)
        assert not is_running(starter)
    assert not (directory / protocol.LOCK).exists()
