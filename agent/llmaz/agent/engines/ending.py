"""The end of all engines at once: of a node that is left, of a machine that is shut down."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from llmaz.agent.engines.launch import START_SECONDS
from llmaz.agent.engines.state import Exited, Running, Unreachable
from llmaz.agent.engines.supervised import Supervised

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What came of it, by the engines' ids."""

    stopped: tuple[str, ...] = ()  # that ran
    left: tuple[str, ...] = ()  # whose shims do not answer: they are left as they are


async def end_all(engines: Sequence[Supervised], reason: str, within: float) -> Ended:
    """Stop engines, wait until nothing of them is left, and dismiss their shims.

    A shim that does not answer, as one that is frozen, is not waited for much longer than `within`.
    """
    outcomes = await asyncio.gather(*(_end(engine, reason, within) for engine in engines))
    by_id = sorted(zip((engine.id for engine in engines), outcomes, strict=True))
    return Ended(
        stopped=tuple(id_ for id_, outcome in by_id if outcome is _Outcome.STOPPED),
        left=tuple(id_ for id_, outcome in by_id if outcome is _Outcome.LEFT),
    )


class _Outcome(StrEnum):
    STOPPED = "Stopped"
    AT_REST = "AtRest"  # it did not run
    LEFT = "Left"


async def _end(engine: Supervised, reason: str, within: float) -> _Outcome:
    try:
        async with asyncio.timeout(within + START_SECONDS):
            if await _reached(engine):
                ran = isinstance(engine.seen().process, Running)
                await engine.stop(reason, within=within)
                if await _gone(engine):
                    await engine.dismiss()
                    return _Outcome.STOPPED if ran else _Outcome.AT_REST
    except TimeoutError:
        logger.debug("engine %s: its shim took too long", engine.id)
    logger.error("engine %s is left as it is: its shim does not answer", engine.id)
    return _Outcome.LEFT


async def _reached(engine: Supervised) -> bool:
    """Wait until its shim, or that one's successor, answers; False when none does in time."""
    try:
        async with asyncio.timeout(START_SECONDS):
            while isinstance(engine.seen().process, Unreachable):
                await engine.change()
    except TimeoutError:
        return False
    return True


async def _gone(engine: Supervised) -> bool:
    """Wait until no process of it is left; False when no shim answers any more."""
    while await _reached(engine):
        process = engine.seen().process
        if isinstance(process, Exited) and process.clear:
            return True
        await engine.change()
    return False
