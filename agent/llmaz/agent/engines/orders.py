"""What a shim is told to do with its engine."""

import contextlib
import logging
from pathlib import Path

from llmaz.agent.engines.client import Shim
from llmaz.agent.engines.env import CommandLine
from llmaz.agent.engines.errors import EngineError, ShimLost
from llmaz.agent.engines.record import EngineRecord
from llmaz.shim import protocol
from llmaz.shim.crash import Effects

logger = logging.getLogger(__name__)

_WORK = "work"  # what an engine finds as its working directory


async def start(
    client: Shim, wanted: EngineRecord, line: CommandLine, place: Path, effects: Effects
) -> None:
    """Have it start an engine, whose files are in `place`."""
    work = place / _WORK
    work.mkdir(exist_ok=True)
    effects.announce("ask the shim to start")
    in_container = client.status.slot is not None  # where the directory has another name
    await client.request(
        protocol.START,
        epoch=wanted.assignment.epoch,
        fingerprint=wanted.fingerprint,
        argv=line.argv,
        env=dict(line.env),
        cwd=_WORK if in_container else str(work),
        limits=line.limits,
        rlimits=line.rlimits,
    )


async def stop(client: Shim, engine_id: str, grace: float, number: int) -> None:
    """Have it end the engine; one that does not answer is asked again until it is gone."""
    while True:
        try:
            await client.request(protocol.STOP, grace=grace, signal=number)
        except ShimLost:  # its successor ends the engine
            return
        except TimeoutError:
            logger.warning("engine %s: its shim does not answer to a stop", engine_id)
            continue
        return


async def show(client: Shim, *, ready: bool) -> None:
    """Tell a slot whether its engine answers requests, for the readiness of its pod."""
    with contextlib.suppress(EngineError, TimeoutError):  # told again with the next change
        await client.request(protocol.READY, ready=ready)


async def leave(client: Shim) -> bool:
    """Tell it to end, its engine having ended; False when it died before it heard of that."""
    try:
        await client.request(protocol.SHUTDOWN)
    except ShimLost:
        return False
    return True
