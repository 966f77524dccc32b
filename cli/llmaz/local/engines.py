"""The end of this machine's engines, which outlive the programs of `up`."""

import asyncio

from llmaz.local.home import Home
from llmaz.local.programs import stop_engines


class EnginesLeft(Exception):
    """Not every engine could be stopped."""


async def end_engines(home: Home, *, apart: bool) -> tuple[str, ...]:
    """Stop every engine, drained; return the ids of those that ran.

    `apart`: a Ctrl-C in this terminal does not cut it short. Raises EnginesLeft; which engines
    those are was written to standard error.
    """
    if not home.agent.exists():
        return ()
    process = await asyncio.create_subprocess_exec(
        *stop_engines(home), stdout=asyncio.subprocess.PIPE, start_new_session=apart
    )
    told, _ = await process.communicate()
    if process.returncode != 0:
        raise EnginesLeft("not every engine could be stopped; see the lines above")
    return tuple(told.decode().split())
