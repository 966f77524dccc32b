"""Wait for something that another process does, and that tells nobody when it is done."""

import asyncio
from collections.abc import Awaitable, Callable

_LOOK_EVERY_SECONDS = 0.05


async def until(is_so: Callable[[], Awaitable[bool]], *, within_seconds: float) -> None:
    """Ask until the answer is yes; raise TimeoutError when it isn't in time."""
    async with asyncio.timeout(within_seconds):
        while not await is_so():  # noqa: ASYNC110  # no event crosses from the other process
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
