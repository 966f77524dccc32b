"""A controller and a thousand agents on the embedded API server: convergence, and what it costs.

Each agent has its own Lease, its own watch of its own InferenceNode, and reports what it is told to
run as ready at once; there are no engines. Writes of the steady state are counted by the server's
versions, of which the renewals of Leases are taken off.
"""

import argparse
import asyncio
import contextlib
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, cast

from harness.figures import report, resident_mib
from harness.servers import embedded_api_server, program

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from llmaz.api.kinds import INFERENCE_NODE, LEASE, OPEN_MODEL, PLAYGROUND
from llmaz.api.manifest import Manifest
from llmaz.api.names import SYSTEM_NAMESPACE
from llmaz.api.node import EnginePhase
from llmaz.kube import Informer, Kube, KubeError, Unavailable
from support.cluster import Agent, install, make_namespace

GPUS, REPLICAS = 8, 4
RENEW_SECONDS = 20.0
WATCHES_PER_CLIENT = 50
PATIENCE_SECONDS = 900.0


class Simulated:
    """One agent: it renews its Lease, and answers every assignment."""

    def __init__(self, kube: Kube, index: int) -> None:
        self._kube = kube
        self._agent = Agent(kube, f"node-{index:04}")
        self._first_renewal = random.Random(index).uniform(0, RENEW_SECONDS)

    async def register(self, gate: asyncio.Semaphore) -> None:
        async with gate:
            await persistently(lambda: self._agent.register(gpus=GPUS))

    async def renew(self) -> None:
        """Renew for ever: agents of a fleet do not do so in step."""
        await asyncio.sleep(self._first_renewal)
        while True:
            with contextlib.suppress(KubeError):
                await self._agent.beat()
            await asyncio.sleep(RENEW_SECONDS)

    async def follow(self) -> None:
        seen = 1
        while True:
            with contextlib.suppress(KubeError):  # a watch may end: the next says what is there
                async for generation in self._generations():
                    if generation > seen:
                        await self._agent.report(EnginePhase.READY)
                        seen = generation
            await asyncio.sleep(1)

    async def _generations(self) -> AsyncIterator[int]:
        watch = self._kube.watch(
            INFERENCE_NODE,
            resource_version="0",
            field_selector=f"metadata.name={self._agent.node}",
        )
        async for event in watch:
            if event.type != "BOOKMARK":
                yield cast("Any", event.object)["metadata"]["generation"]


async def persistently(ask: Callable[[], Awaitable[object]]) -> None:
    """Ask until the server answers: one with much to do may be late."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                await ask()
            except Unavailable:
                await asyncio.sleep(1)
            else:
                return


async def serve_all(kube: Kube, playgrounds: int) -> None:
    """Ask for as many replicas as fill half of the nodes."""
    source: Any = {"uri": "host:///models/m.gguf"}
    limits = {"nvidia.com/gpu": 1}
    for index in range(playgrounds):
        name = f"chat-{index:04}"
        flavors: Any = [{"name": "a10", "limits": limits}]
        spec: Manifest = {
            "familyName": "f",
            "source": source,
            "inferenceConfig": {"flavors": flavors},
        }
        model: Manifest = {"metadata": {"name": name}, "spec": spec}
        await persistently(partial(kube.apply, OPEN_MODEL, model, manager="bench"))
        claim: Manifest = {"replicas": REPLICAS, "modelClaim": {"modelName": name}}
        metadata: Manifest = {"name": name, "namespace": "default"}
        wish: Manifest = {"metadata": metadata, "spec": claim}
        await persistently(partial(kube.apply, PLAYGROUND, wish, manager="bench"))


async def until_ready(kube: Kube, playgrounds: int) -> None:
    """Follow the Playgrounds, as a user's `kubectl get --watch` does."""
    changed = asyncio.Event()
    informer = Informer(kube, PLAYGROUND, changed=changed)
    following = asyncio.create_task(informer.run())
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            await changed.wait()
            changed.clear()
            seen = informer.objects.values()
            states = [cast("Any", item).get("status", {}).get("ready") for item in seen]
            if states.count(f"{REPLICAS}/{REPLICAS}") == playgrounds:
                break
            await asyncio.sleep(0.1)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def other_writes(kube: Kube, seconds: float) -> float:
    """Count the writes of a minute that are no renewals of Leases."""
    listing = await kube.list(LEASE, SYSTEM_NAMESPACE)
    renewals = 0

    async def count() -> None:
        nonlocal renewals
        version = listing.resource_version
        async for event in kube.watch(LEASE, SYSTEM_NAMESPACE, resource_version=version):
            renewals += event.type == "MODIFIED"

    counting = asyncio.create_task(count())
    await asyncio.sleep(seconds)
    after = (await kube.list(LEASE, SYSTEM_NAMESPACE)).resource_version
    await asyncio.sleep(1)  # what was written by then has been told
    counting.cancel()
    return max(0, int(after) - int(listing.resource_version) - renewals) * 60 / seconds


async def measure(kubeconfig: Path, scratch: Path, *, agents: int, server: int) -> None:
    playgrounds = agents * GPUS // REPLICAS // 2
    argv = [sys.executable, "-m", "llmaz.controller", "--listen", "127.0.0.1:0"]
    argv += ["--kubeconfig", str(kubeconfig), "--identity", "bench"]
    async with AsyncExitStack() as stack:
        several = range(0, agents, WATCHES_PER_CLIENT)  # a client has a bound of connections
        clients = [await stack.enter_async_context(await Kube.connect(kubeconfig)) for _ in several]
        kube = await stack.enter_async_context(await Kube.connect(kubeconfig))
        await install(kube)
        await make_namespace(kube, SYSTEM_NAMESPACE)
        await make_namespace(kube, "default")
        everyone = [
            Simulated(clients[index // WATCHES_PER_CLIENT], index) for index in range(agents)
        ]
        gate = asyncio.Semaphore(16)
        await asyncio.gather(*(one.register(gate) for one in everyone))
        tasks = [asyncio.create_task(one.follow()) for one in everyone]
        tasks += [asyncio.create_task(one.renew()) for one in everyone]
        with program(argv, scratch / "controller.log") as controller:
            started = time.monotonic()
            await serve_all(kube, playgrounds)
            asked = time.monotonic()
            await until_ready(kube, playgrounds)
            done = time.monotonic()
            await asyncio.sleep(10)  # what is still said of it has been said by then
            writes = await other_writes(kube, 30)
            report(
                agents=agents,
                replicas=playgrounds * REPLICAS,
                asked_s=asked - started,
                converged_after_s=done - asked,
                other_writes_per_minute=writes,
                controller_resident_mib=resident_mib(controller.pid),
                server_resident_mib=resident_mib(server),
            )
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="50 agents")
    parser.add_argument("--agents", type=int, default=1_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="llmaz-bench-") as scratch:
        async with embedded_api_server() as server:
            agents = 50 if given.quick else given.agents
            await measure(server.kubeconfig, Path(scratch), agents=agents, server=server.pid)


if __name__ == "__main__":
    asyncio.run(main())
