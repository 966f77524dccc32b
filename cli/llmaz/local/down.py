"""`down`: end an `up` and its engines, from another terminal or after a crash."""

import os
import shutil
import signal
from dataclasses import dataclass

from llmaz.local.engines import end_engines
from llmaz.local.home import Home
from llmaz.local.wait import until

_WITHIN_SECONDS = 90.0  # engines are drained first


class DownError(Exception):
    """Something is still running."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """What `down` found: an `up`, or the engines that a killed one had left."""

    was_running: bool
    engines_left_behind: tuple[str, ...] = ()


async def down(home: Home) -> Stopped:
    """Stop everything that runs on this home.

    Where no `up` was running (it was killed), its engines may live: they are stopped as well.
    Raises DownError and EnginesLeft.
    """
    holder = home.holder()
    if holder is None:
        ended = await end_engines(home, apart=False)
        return Stopped(was_running=False, engines_left_behind=ended)
    os.kill(holder, signal.SIGTERM)

    async def is_gone() -> bool:
        return home.holder() is None

    try:
        await until(is_gone, within_seconds=_WITHIN_SECONDS)
    except TimeoutError:
        raise DownError(
            f"llmaz (pid {holder}) is still stopping after {_WITHIN_SECONDS:.0f} s"
        ) from None
    return Stopped(was_running=True)


def purge(home: Home) -> None:
    """Delete everything that `up` made in the home: objects, weights, logs."""
    for path in (home.server, home.agent, home.cache, home.logs):
        shutil.rmtree(path, ignore_errors=True)
    for path in (home.kubeconfig, home.root / "up.lock"):
        path.unlink(missing_ok=True)
