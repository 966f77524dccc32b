"""`down`: end an `up` and its engines, from another terminal or after a crash."""

import asyncio
import os
import shutil
import signal

from llmaz.local.home import Home
from llmaz.local.programs import stop_engines
from llmaz.local.wait import until

_WITHIN_SECONDS = 90.0  # engines are drained first


class DownError(Exception):
    """Something is still running."""


async def down(home: Home) -> bool:
    """Stop everything that runs on this home; return whether an `up` was running.

    Where none was (it was killed), its engines may live: they are stopped as well.
    """
    holder = home.holder()
    if holder is None:
        await _stop_engines(home)
        return False
    os.kill(holder, signal.SIGTERM)

    async def is_gone() -> bool:
        return home.holder() is None

    try:
        await until(is_gone, within_seconds=_WITHIN_SECONDS)
    except TimeoutError:
        raise DownError(
            f"llmaz (pid {holder}) is still stopping after {_WITHIN_SECONDS:.0f} s"
        ) from None
    return True


def purge(home: Home) -> None:
    """Delete everything that `up` made in the home: objects, weights, logs."""
    for path in (home.server, home.agent, home.cache, home.logs):
        shutil.rmtree(path, ignore_errors=True)
    for path in (home.kubeconfig, home.root / "up.lock"):
        path.unlink(missing_ok=True)


async def _stop_engines(home: Home) -> None:
    if not home.agent.exists():
        return
    process = await asyncio.create_subprocess_exec(*stop_engines(home))
    if await process.wait() != 0:
        raise DownError("not every engine could be stopped; see the lines above")
