"""Kill an engine (SIGKILL): how soon its endpoint is gone, and how soon it serves again.

The rival is the same engine started by hand and asked directly: `added_s` is what the system adds
to the engine's own start.
"""

import asyncio
import os
import signal
import time
from statistics import median

import aiohttp
from harness.fakes import ready_engines
from harness.figures import options, report
from harness.machine import machine
from warm_start import by_hand, first_token, open_model, playground

from llmaz.api.kinds import ENDPOINT_SLICE, OPEN_MODEL, PLAYGROUND
from llmaz.api.manifest import Manifest
from llmaz.kube import Kube

BETWEEN_SECONDS = 2.0


async def until_no_endpoint(kube: Kube, version: str) -> float:
    """Return when no endpoint of the model was ready any more."""
    async for event in kube.watch(ENDPOINT_SLICE, "default", resource_version=version):
        if event.type == "DELETED" or not _is_ready(event.object):
            return time.perf_counter()
    raise SystemExit("the watch ended before the endpoint was gone")


def _is_ready(slice_: Manifest) -> bool:
    endpoints = slice_.get("endpoints")
    return isinstance(endpoints, list) and any(
        isinstance(endpoint, dict)
        and isinstance(conditions := endpoint.get("conditions"), dict)
        and conditions.get("ready")
        for endpoint in endpoints
    )


async def kill_once(kube: Kube, session: aiohttp.ClientSession, url: str) -> tuple[float, float]:
    """Kill the engine; return the seconds until its endpoint was gone, and until it served."""
    (engine,) = (await ready_engines(kube, 1)).values()
    assert engine.pid is not None
    version = (await kube.list(ENDPOINT_SLICE, "default")).resource_version
    gone = asyncio.create_task(until_no_endpoint(kube, version))
    await asyncio.sleep(0.2)  # the watch is open by then; a late one would only replay the events
    started = time.perf_counter()
    os.kill(engine.pid, signal.SIGKILL)
    withdrawn = await asyncio.wait_for(gone, 30) - started
    await asyncio.wait_for(first_token(session, url), 60)
    return withdrawn, time.perf_counter() - started


async def main() -> None:
    # A fifth kill in a row would meet the back-off of an engine that crashes again and again.
    rounds = 1 if options(__doc__ or "").quick else 8
    took: list[tuple[float, float]] = []
    rival: list[float] = []
    for _ in range(rounds):
        with machine() as where:
            async with (
                await Kube.connect(where.kubeconfig) as kube,
                aiohttp.ClientSession() as session,
            ):
                await kube.apply(OPEN_MODEL, open_model(), manager="bench")
                await kube.apply(PLAYGROUND, playground(), manager="bench")
                await asyncio.wait_for(first_token(session, where.gateway_url), 60)
                await asyncio.sleep(BETWEEN_SECONDS)
                took.append(await kill_once(kube, session, where.gateway_url))
                rival.append(await by_hand(session))
    report(
        rounds=rounds,
        endpoint_gone_s=median(gone for gone, _ in took),
        endpoint_gone_max_s=max(gone for gone, _ in took),
        serving_again_s=median(served for _, served in took),
        engine_by_hand_s=median(rival),
        added_s=median(served for _, served in took) - median(rival),
    )


if __name__ == "__main__":
    asyncio.run(main())
