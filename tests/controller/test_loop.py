"""The loop in this process on a real API server, with decisions that take as long as they like."""

import asyncio
import threading
from datetime import datetime

from llmaz.api.kinds import LEASE
from llmaz.api.names import SYSTEM_NAMESPACE
from llmaz.controller.actions import Plan
from llmaz.controller.loop import Loop
from llmaz.controller.metrics import Metrics
from llmaz.controller.observe import Observer
from llmaz.controller.perform import Performer
from llmaz.controller.snapshot import ClusterSnapshot
from llmaz.kube import Kube
from support.controllerprocess import ControllerProcess

PATIENCE_SECONDS = 120.0


class Held:
    """A Lease that is held until somebody says otherwise."""

    is_held = True
    seconds_left = PATIENCE_SECONDS


async def test_a_controller_that_leads_no_more_tells_nothing_of_what_it_saw(
    controller: ControllerProcess,
) -> None:
    held, metrics = Held(), Metrics()
    held.is_held = False
    metrics.saw(ClusterSnapshot())

    def nodes() -> float | None:
        labels = {"kind": "InferenceNode"}
        return metrics.registry.get_sample_value("llmaz_controller_objects", labels)

    assert nodes() == 0
    async with await Kube.connect(controller.kubeconfig) as kube:
        observer = Observer(kube, asyncio.Event(), gateway_url="")
        loop = asyncio.create_task(Loop(observer, Performer(kube, observer), held, metrics).run())
        observer.changed.set()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while nodes() is not None:
                    await asyncio.sleep(0.01)
        finally:
            loop.cancel()
            await asyncio.gather(loop, return_exceptions=True)


async def test_the_lease_can_be_renewed_while_a_large_cluster_is_decided_on(
    controller: ControllerProcess,
) -> None:
    begun, renewed, seen = threading.Event(), threading.Event(), asyncio.Event()
    turn = asyncio.get_running_loop()

    def decide(_snapshot: ClusterSnapshot, _now: datetime) -> Plan:
        begun.set()
        assert renewed.wait(PATIENCE_SECONDS), "nothing else went on while a plan was made"
        turn.call_soon_threadsafe(seen.set)
        return Plan(actions=())

    async with await Kube.connect(controller.kubeconfig) as kube:
        observer = Observer(kube, asyncio.Event(), gateway_url="")
        loop = Loop(observer, Performer(kube, observer), Held(), Metrics(), decide=decide)
        tasks = [*observer.tasks(), asyncio.create_task(loop.run())]
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not begun.is_set():
                    await asyncio.sleep(0.01)
                await kube.list(LEASE, SYSTEM_NAMESPACE)  # a request of the same event loop
                renewed.set()
                await seen.wait()
        finally:
            renewed.set()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
