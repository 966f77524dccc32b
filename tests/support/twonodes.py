"""A group of two engines on two nodes, every program real."""

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from llmaz.api.manifest import Manifest
from llmaz.api.node import EngineReport, NodeStatus
from support.nodes import FAKE_ENGINE, Node, node

LEADER, WORKER = "default/pair-0", "default/pair-0.1"


def member(*switches: str, grace: int = 5) -> Manifest:
    fake = [sys.executable, str(FAKE_ENGINE), "--port", "$(LLMAZ_PORT)", "--model", "tiny"]
    runner: Manifest = {"name": "model-runner", "command": [*fake, *switches]}
    return {"spec": {"containers": [runner], "terminationGracePeriodSeconds": grace}}


@asynccontextmanager
async def two_nodes(kubeconfig: Path, directory: Path) -> AsyncIterator[tuple[Node, Node]]:
    async with AsyncExitStack() as stack:
        nodes = []
        for number in (1, 2):
            home = directory / f"node-{number}"
            home.mkdir()
            one = await stack.enter_async_context(node(kubeconfig, home, home.name))
            address = f"127.0.0.{number}"
            options = ("--address", address, "--sharing-listen", f"{address}:0")
            await one.start("--register-node", *options)
            nodes.append(one)
        yield nodes[0], nodes[1]


async def group_members(nodes: tuple[Node, Node], epoch: int) -> dict[str, EngineReport]:
    """Return what both agents say of the group's engines, once they are ready in an epoch."""
    found: dict[str, EngineReport] = {}

    def ready(status: NodeStatus) -> bool:
        reports = {report.id: report for report in status.engines or ()}
        found.update(reports)
        return any(one.phase == "Ready" and one.epoch == epoch for one in reports.values())

    for one in nodes:
        await one.until(ready, f"no member is ready in epoch {epoch}")
    return found


def tiny(weights: Path) -> Manifest:
    source: Manifest = {"uri": f"host://{weights}"}
    return {"metadata": {"name": "tiny"}, "spec": {"familyName": "tiny", "source": source}}


def pair(each: Manifest, replicas: int = 1) -> Manifest:
    """The Service whose one replica is a leader and a worker."""
    template: Manifest = {"size": 2, "leaderTemplate": each, "workerTemplate": each}
    claims: Manifest = {"models": [{"name": "tiny"}]}
    return {
        "metadata": {"name": "pair", "namespace": "default"},
        "spec": {"modelClaims": claims, "replicas": replicas, "workloadTemplate": template},
    }
