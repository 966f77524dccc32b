"""Waking from zero: a request meets a model without replicas, and its answer comes back.

The weights are on the node. The rival is the same engine started by hand and asked directly: what
holding and waking add is the difference of the two medians. Several clients ask at once, and each
request that fails is counted. Rounds alternate, since noise drifts.
"""

import asyncio
import time
from statistics import median

import aiohttp
from harness.figures import options, report
from harness.machine import Machine, machine
from warm_start import MODEL, by_hand, open_model, playground

from llmaz.api.kinds import OPEN_MODEL, PLAYGROUND
from llmaz.api.manifest import Manifest
from llmaz.kube import Kube

CLIENTS = 8
_BODY = {"model": MODEL, "prompt": "Hello", "max_tokens": 1}


async def woken(session: aiohttp.ClientSession, where: Machine) -> tuple[float, int]:
    """Ask from all clients at once; return the seconds to the first answer, and how many failed."""
    started = time.perf_counter()

    async def ask() -> tuple[float, bool]:
        async with session.post(f"{where.gateway_url}/completions", json=_BODY) as answer:
            await answer.read()
            return time.perf_counter() - started, answer.status == 200

    answers = await asyncio.gather(*(ask() for _ in range(CLIENTS)))
    return min(seconds for seconds, _ in answers), sum(not fine for _, fine in answers)


async def asleep(kube: Kube, session: aiohttp.ClientSession, where: Machine) -> None:
    """Scale to zero as a user may, and wait until no engine is routed to and the last has ended."""
    patch: Manifest = {"spec": {"replicas": 0}}
    await kube.patch(PLAYGROUND, MODEL, patch, "default", subresource="scale")
    while True:
        async with session.get(f"{where.gateway_url}/models") as response:
            models = (await response.json())["data"]
        if models and not models[0]["llmaz"]["ready_engines"]:
            break
        await asyncio.sleep(0.05)
    await asyncio.sleep(4.0)  # an ending engine takes no cores from the next


async def main() -> None:
    rounds = 3 if options(__doc__ or "").quick else 10
    ours: list[float] = []
    rival: list[float] = []
    failed = 0
    elastic: Manifest = {"elasticConfig": {"minReplicas": 0, "maxReplicas": 1}}
    manifest = playground()
    spec = manifest["spec"]
    assert isinstance(spec, dict)
    manifest["spec"] = {**spec, **elastic}
    with machine() as where:
        async with await Kube.connect(where.kubeconfig) as kube, aiohttp.ClientSession() as session:
            await kube.apply(OPEN_MODEL, open_model(), manager="bench")
            await kube.apply(PLAYGROUND, manifest, manager="bench")
            for warm in (False, *[True] * rounds):
                await asleep(kube, session, where)
                seconds, bad = await woken(session, where)
                failed += bad
                if warm:  # the first round makes everything so
                    ours.append(seconds)
                    rival.append(await by_hand(session))
    report(
        rounds=rounds,
        woken_s=median(ours),
        woken_max_s=max(ours),
        engine_by_hand_s=median(rival),
        added_s=median(ours) - median(rival),
        requests=CLIENTS * (rounds + 1),
        requests_failed=failed,
    )


if __name__ == "__main__":
    asyncio.run(main())
