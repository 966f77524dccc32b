"""A cluster with slots: every program real but the kubelets and the scheduler."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
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
from support.kubelet.kubelet import Kubelet, PodRun
from support.kubelet.objects import Object
from support.kubelet.rest import Pods
from support.kubelet.scheduler import Scheduler
from support.nodes import Node, node

NODE_NAME = "worker"
HOST_PATH = "/var/lib/llmaz"  # on every node, each of which has a directory of this machine for it
PATIENCE_SECONDS = 600.0  # for a pod: an interpreter is copied, programs start, an engine loads
_ALLOCATABLE = {"cpu": "8", "memory": "32Gi", "pods": "110"}


@dataclass
class SlotCluster:
    """What a test does to it, and sees of it."""

    kube: Kube
    pods: Pods
    agents: tuple[Node, ...]
    kubelets: tuple[Kubelet, ...]
    client: aiohttp.ClientSession

    @property
    def agent(self) -> Node:
        """The agent of the first node."""
        return self.agents[0]

    @property
    def kubelet(self) -> Kubelet:
        """The kubelet of the first node."""
        return self.kubelets[0]

    def run_of(self, pod: Object) -> PodRun:
        """Return a pod as its kubelet runs it."""
        uid = pod["metadata"]["uid"]
        return next(one.running[uid] for one in self.kubelets if uid in one.running)

    async def living(self) -> dict[str, Object]:
        """Return the pods that are not ending, by name."""
        listing = await self.kube.list(POD, "default")
        pods = cast("list[Object]", list(listing.items))
        return {
            pod["metadata"]["name"]: pod
            for pod in pods
            if "deletionTimestamp" not in pod["metadata"]
        }

    @property
    def slots(self) -> Path:
        """Where the directories of slots are on the node."""
        return self.kubelet.directory / SLOTS

    async def until(self, playground: str, words: str) -> None:
        """Wait until a Playground's condition Available says something."""
        await eventually(
            lambda: self.kube.get(PLAYGROUND, playground, "default"),
            lambda one: words in f"{condition(one, 'Available')}",
            PATIENCE_SECONDS,
        )

    async def pod(self, *, but: str = "") -> Object:
        """Return the one pod that lives and has another uid, once it is ready."""

        async def look() -> list[Object]:
            listing = await self.kube.list(POD, "default")
            return cast("list[Object]", list(listing.items))

        found = await eventually(
            look, lambda pods: any(_is_ready(pod, but) for pod in pods), PATIENCE_SECONDS
        )
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
    directory: Path, make: Make = Process, nodes: Sequence[str] = (NODE_NAME,), **policy: object
) -> AsyncIterator[SlotCluster]:
    """Start everything, and leave nothing of it. Containers are made by `make`."""
    async with AsyncExitStack() as stack:
        # Embedded always: pods have loopback addresses, which a real server takes for no endpoints.
        server = EmbeddedServer(directory / "server")
        stack.callback(server.stop)
        plane = server.start()
        kube = await stack.enter_async_context(await Kube.connect(plane.kubeconfig))
        # Engines close connections that are idle: each request has its own.
        connector = aiohttp.TCPConnector(force_close=True)
        client = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        await install(kube)
        for namespace in (SYSTEM_NAMESPACE, "default"):
            await make_namespace(kube, namespace)
        pods = Pods(plane, client)
        agents, kubelets = [], []
        for name in nodes:
            home = await _new_node(kube, directory, name)
            agents.append(await stack.enter_async_context(node(plane.kubeconfig, home, name)))
            kubelets.append(Kubelet(kube, pods, name, home, host_path=HOST_PATH, make=make))
        slots = {"launcher": "slot", "hostPath": HOST_PATH, **policy}
        controller = ControllerProcess(plane.kubeconfig, directory / "controller.log")
        stack.callback(controller.stop)
        controller.start("tests", "--slots", json.dumps(slots))
        runs = [Scheduler(kube, pods).run(), *(kubelet.run() for kubelet in kubelets)]
        tasks = [asyncio.create_task(run) for run in runs]
        stack.push_async_callback(_end, tasks)
        for agent in agents:
            await agent.start()
        yield SlotCluster(kube, pods, tuple(agents), tuple(kubelets), client)


async def _new_node(kube: Kube, directory: Path, name: str) -> Path:
    """Make a Node, and the directory that is the node's host path."""
    home = directory / name
    home.mkdir()
    if os.geteuid() == 0:  # as the init container of the agent's pod does
        (home / SLOTS).mkdir()
        os.chown(home / SLOTS, SlotPolicy().user, SlotPolicy().user)
    labels: Any = {"kubernetes.io/os": "linux", "kubernetes.io/hostname": name}
    await kube.create(NODE, {"metadata": {"name": name, "labels": labels}})
    allocatable: Any = {"status": {"allocatable": _ALLOCATABLE}}
    await kube.patch(NODE, name, allocatable, subresource="status")
    return home


async def _end(tasks: "list[asyncio.Task[None]]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _is_ready(pod: Object, but: str) -> bool:
    conditions = pod.get("status", {}).get("conditions") or []
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and pod["metadata"]["uid"] != but and "deletionTimestamp" not in pod["metadata"]


def _takes_requests(slice_: Object) -> bool:
    return any(one["conditions"]["ready"] for one in slice_["endpoints"])
