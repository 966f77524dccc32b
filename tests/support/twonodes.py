"""A group of two engines on two nodes, every program real."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from llmaz.api.kinds import OPEN_MODEL, SERVICE
from llmaz.api.manifest import Manifest
from llmaz.api.names import SYSTEM_NAMESPACE
from llmaz.api.node import EngineReport
from llmaz.kube import Kube, KubeError
from support.cluster import install, make_namespace
from support.controllerprocess import ControllerProcess
from support.controlplane import EmbeddedServer
from support.nodes import FAKE_ENGINE, PATIENCE_SECONDS, Node, node
from support.weights import gguf

LEADER, WORKER = "default/pair-0", "default/pair-0.1"


def member(*switches: str, grace: int = 5) -> Manifest:
    fake = [sys.executable, str(FAKE_ENGINE), "--port", "$(LLMAZ_PORT)", "--model", "tiny"]
    runner: Manifest = {"name": "model-runner", "command": [*fake, *switches]}
    return {"spec": {"containers": [runner], "terminationGracePeriodSeconds": grace}}


def pair(each: Manifest, replicas: int = 1) -> Manifest:
    """The Service whose one replica is a leader and a worker."""
    template: Manifest = {"size": 2, "leaderTemplate": each, "workerTemplate": each}
    claims: Manifest = {"models": [{"name": "tiny"}]}
    return {
        "metadata": {"name": "pair", "namespace": "default"},
        "spec": {"modelClaims": claims, "replicas": replicas, "workloadTemplate": template},
    }


@asynccontextmanager
async def running_pair(
    directory: Path, service: Manifest
) -> AsyncIterator[tuple[Kube, tuple[Node, Node]]]:
    """Run a control plane and two nodes that serve a pair."""
    weights = directory / "tiny.gguf"
    weights.write_bytes(gguf())
    async with running_nodes(directory, ("127.0.0.1", "127.0.0.2")) as (kube, nodes):
        await kube.apply(OPEN_MODEL, _tiny(weights), manager="tests")
        await kube.apply(SERVICE, service, manager="tests")
        yield kube, nodes


@asynccontextmanager
async def running_nodes(
    directory: Path, addresses: tuple[str, str]
) -> AsyncIterator[tuple[Kube, tuple[Node, Node]]]:
    """Run a control plane and two nodes of these addresses, to which nothing is asked yet.

    The server is the embedded one: a kube-apiserver lets no endpoint be at a loopback address.
    """
    async with AsyncExitStack() as stack:
        server = EmbeddedServer(directory / "plane")
        stack.callback(server.stop)
        plane = server.start()
        kube = await stack.enter_async_context(await Kube.connect(plane.kubeconfig))
        await install(kube)
        await make_namespace(kube, SYSTEM_NAMESPACE)
        await make_namespace(kube, "default")
        controller = ControllerProcess(plane.kubeconfig, directory / "controller.log")
        controller.start()
        stack.callback(controller.stop)
        nodes = _two_nodes(plane.kubeconfig, directory, addresses)
        yield kube, await stack.enter_async_context(nodes)


async def group_members(
    nodes: tuple[Node, Node], *, later_than: int = 0, patience: float = PATIENCE_SECONDS
) -> dict[str, EngineReport]:
    """Return what both agents say of the group's engines, once all are ready in one epoch.

    Which epoch that is nobody promises: a member that is assigned before the other, or that fails
    to start, brings about the next.
    """
    found: dict[str, EngineReport] = {}
    try:
        async with asyncio.timeout(patience):
            while not _is_whole(found, later_than):
                await asyncio.sleep(0.05)
                with suppress(KubeError):  # a busy server, or a node that is not there yet
                    found = await _reports(nodes)
    except TimeoutError:
        raise AssertionError(f"no group is ready after epoch {later_than}: {found}") from None
    return found


def _is_whole(reports: dict[str, EngineReport], later_than: int) -> bool:
    if reports.keys() != {LEADER, WORKER}:
        return False
    epochs = {report.epoch for report in reports.values()}
    are_ready = all(report.phase == "Ready" for report in reports.values())
    return are_ready and len(epochs) == 1 and min(epochs) > later_than


async def _reports(nodes: tuple[Node, Node]) -> dict[str, EngineReport]:
    statuses = [(await one.shown()).status for one in nodes]
    shown = (status.engines or () for status in statuses if status is not None)
    return {report.id: report for engines in shown for report in engines}


@asynccontextmanager
async def _two_nodes(
    kubeconfig: Path, directory: Path, addresses: tuple[str, str]
) -> AsyncIterator[tuple[Node, Node]]:
    async with AsyncExitStack() as stack:
        nodes = []
        for number, address in enumerate(addresses, 1):
            home = directory / f"node-{number}"
            home.mkdir()
            one = await stack.enter_async_context(node(kubeconfig, home, home.name))
            options = ("--address", address, "--sharing-listen", f"{address}:0")
            await one.start("--register-node", *options)
            nodes.append(one)
        yield nodes[0], nodes[1]


def _tiny(weights: Path) -> Manifest:
    source: Manifest = {"uri": f"host://{weights}"}
    return {"metadata": {"name": "tiny"}, "spec": {"familyName": "tiny", "source": source}}
