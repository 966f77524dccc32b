"""A cluster of one node with slots: every program real but the kubelet and the scheduler."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import aiohttp

from llmaz.api.kinds import ENDPOINT_SLICE, NODE, PLAYGROUND, POD
from llmaz.api.names import SYSTEM_NAMESPACE
from llmaz.api.slot import SLOTS
from llmaz.controller.slots.policy import SlotPolicy
from llmaz.kube import Kube
from support.cluster import condition, eventually, install, make_namespace
from support.controllerprocess import ControllerProcess
from support.controlplane import EmbeddedServer
from support.kubelet.container import Make, Process
from support.kubelet.kubelet import Kubelet
from support.kubelet.objects import Object
from support.kubelet.rest import Pods
from support.kubelet.scheduler import Scheduler
from support.nodes import Node, node

NODE_NAME = "worker"
_ALLOCATABLE = {"cpu": "8", "memory": "32Gi", "pods": "110"}


@dataclass
class SlotCluster:
    """What a test does to it, and sees of it."""

    kube: Kube
    pods: Pods
    agent: Node
    kubelet: Kubelet
    client: aiohttp.ClientSession

    @property
    def slots(self) -> Path:
        """Where the directories of slots are on the node."""
        return self.kubelet.directory / SLOTS

    async def until(self, playground: str, words: str) -> None:
        """Wait until a Playground's condition Available says something."""
        await eventually(
            lambda: self.kube.get(PLAYGROUND, playground, "default"),
            lambda one: words in f"{condition(one, 'Available')}",
        )

    async def pod(self, *, but: str = "") -> Object:
        """Return the one pod that lives and has another uid, once it is ready."""

        async def look() -> list[Object]:
            listing = await self.kube.list(POD, "default")
            return cast("list[Object]", list(listing.items))

        found = await eventually(look, lambda pods: any(_is_ready(pod, but) for pod in pods))
        return next(pod for pod in found if _is_ready(pod, but))

    async def endpoint(self, playground: str) -> str:
        """Return the URL of the one endpoint that takes requests."""
        listing = await eventually(
            lambda: self.kube.list(ENDPOINT_SLICE, "default"),
            lambda found: any(_takes_requests(cast("Object", one)) for one in found.items),
        )
        slices = [cast("Object", one) for one in listing.items]
        ready = next(one for one in slices if _takes_requests(one))
        assert ready["metadata"]["labels"]["kubernetes.io/service-name"] == f"{playground}-lb"
        (endpoint,) = ready["endpoints"]
        return f"http://{endpoint['addresses'][0]}:{ready['ports'][0]['port']}"

    async def ask(self, url: str, model: str, tokens: int = 8) -> str:
        """Have a model say something."""
        question: Any = {
            "model": model,
            "messages": [{"role": "user", "content": "Count to one hundred."}],
            "max_tokens": tokens,
        }
        async with self.client.post(f"{url}/v1/chat/completions", json=question) as answer:
            assert answer.status == 200, await answer.text()
            text: str = (await answer.json())["choices"][0]["message"]["content"]
            return text

    async def until_busy(self, url: str, answer: "asyncio.Task[str]") -> None:
        """Wait until an engine works on a request, or has answered it already."""

        async def look() -> bool:
            async with self.client.get(f"{url}/metrics") as page:
                return "llamacpp:requests_processing 1" in await page.text() or answer.done()

        await eventually(look, bool)

    async def cordon(self, *, on: bool) -> None:
        await self.kube.patch(NODE, NODE_NAME, {"spec": {"unschedulable": on or None}})


@asynccontextmanager
async def slot_cluster(
    directory: Path, make: Make = Process, **policy: object
) -> AsyncIterator[SlotCluster]:
    """Start everything, and leave nothing of it. Containers are made by `make`."""
    server = EmbeddedServer(directory / "server")
    plane = server.start()
    home = directory / "node"
    home.mkdir()
    if os.geteuid() == 0:  # as the init container of the agent's pod does
        (home / SLOTS).mkdir()
        os.chown(home / SLOTS, SlotPolicy().user, SlotPolicy().user)
    slots = {"launcher": "slot", "hostPath": str(home), **policy}
    controller = ControllerProcess(plane.kubeconfig, directory / "controller.log")
    try:
        async with (
            await Kube.connect(plane.kubeconfig) as kube,
            aiohttp.ClientSession() as client,
            node(plane.kubeconfig, home, NODE_NAME) as agent,
        ):
            await install(kube)
            for namespace in (SYSTEM_NAMESPACE, "default"):
                await make_namespace(kube, namespace)
            labels: Any = {"kubernetes.io/os": "linux", "kubernetes.io/hostname": NODE_NAME}
            await kube.create(NODE, {"metadata": {"name": NODE_NAME, "labels": labels}})
            allocatable: Any = {"status": {"allocatable": _ALLOCATABLE}}
            await kube.patch(NODE, NODE_NAME, allocatable, subresource="status")
            pods = Pods(plane, client)
            kubelet = Kubelet(kube, pods, NODE_NAME, home, make=make)
            scheduler = Scheduler(kube, pods)
            controller.start("tests", "--slots", json.dumps(slots))
            tasks = [asyncio.create_task(one.run()) for one in (kubelet, scheduler)]
            try:
                await agent.start()
                yield SlotCluster(kube, pods, agent, kubelet, client)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        controller.stop()
        server.stop()


def _is_ready(pod: Object, but: str) -> bool:
    conditions = pod.get("status", {}).get("conditions") or []
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and pod["metadata"]["uid"] != but and "deletionTimestamp" not in pod["metadata"]


def _takes_requests(slice_: Object) -> bool:
    return any(one["conditions"]["ready"] for one in slice_["endpoints"])
