"""A replica on two nodes, every program real: a leader, its worker, and the end of one of them."""

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from llmaz.api.kinds import OPEN_MODEL, SERVICE
from llmaz.api.manifest import Manifest
from llmaz.api.names import SYSTEM_NAMESPACE
from llmaz.api.node import EngineReport, NodeStatus
from llmaz.kube import Kube
from support.cluster import install, make_namespace
from support.controllerprocess import ControllerProcess
from support.controlplane import running_control_plane
from support.nodes import FAKE_ENGINE, Node, node
from support.weights import gguf

pytestmark = pytest.mark.timeout(500)

LEADER, WORKER = "default/pair-0", "default/pair-0.1"


def member(*switches: str) -> Manifest:
    fake = [sys.executable, str(FAKE_ENGINE), "--port", "$(LLMAZ_PORT)", "--model", "tiny"]
    runner: Manifest = {"name": "model-runner", "command": [*fake, *switches]}
    return {"spec": {"containers": [runner], "terminationGracePeriodSeconds": 5}}


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


async def members(nodes: tuple[Node, Node], epoch: int) -> dict[str, EngineReport]:
    """Return what both agents say of the group's engines, once they are ready in an epoch."""
    found: dict[str, EngineReport] = {}

    def ready(status: NodeStatus) -> bool:
        reports = {report.id: report for report in status.engines or ()}
        found.update(reports)
        return any(one.phase == "Ready" and one.epoch == epoch for one in reports.values())

    for one in nodes:
        await one.until(ready, f"no member is ready in epoch {epoch}")
    return found


def environ(report: EngineReport) -> dict[str, str]:
    entries = Path(f"/proc/{report.pid}/environ").read_text().split("\0")
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


async def test_when_a_worker_dies_the_whole_group_starts_anew_in_place(tmp_path: Path) -> None:
    weights = tmp_path / "tiny.gguf"
    weights.write_bytes(gguf())
    with running_control_plane(tmp_path / "plane") as plane:
        controller = ControllerProcess(plane.kubeconfig, tmp_path / "controller.log")
        async with await Kube.connect(plane.kubeconfig) as kube:
            await install(kube)
            await make_namespace(kube, SYSTEM_NAMESPACE)
            await make_namespace(kube, "default")
            controller.start()
            try:
                async with two_nodes(plane.kubeconfig, tmp_path) as nodes:
                    await kube.apply(OPEN_MODEL, model(weights), manager="tests")
                    await kube.apply(SERVICE, pair(), manager="tests")
                    before = await members(nodes, epoch=1)
                    assert_that_they_know_each_other(before)
                    victim = before[WORKER].pid
                    assert victim is not None
                    os.kill(victim, signal.SIGKILL)
                    after = await members(nodes, epoch=2)
                    assert {after[one].pid for one in (LEADER, WORKER)}.isdisjoint(
                        {before[one].pid for one in (LEADER, WORKER)}
                    )
            finally:
                controller.stop()


def assert_that_they_know_each_other(reports: dict[str, EngineReport]) -> None:
    leader, worker = reports[LEADER], reports[WORKER]
    assert leader.address != worker.address
    for rank, told in enumerate(map(environ, (leader, worker))):
        assert told["LWS_LEADER_ADDRESS"] == leader.address
        assert told["LWS_GROUP_SIZE"] == "2"
        assert told["LWS_WORKER_INDEX"] == str(rank)


def model(weights: Path) -> Manifest:
    source: Manifest = {"uri": f"host://{weights}"}
    return {"metadata": {"name": "tiny"}, "spec": {"familyName": "tiny", "source": source}}


def pair() -> Manifest:
    template: Manifest = {"size": 2, "leaderTemplate": member(), "workerTemplate": member()}
    claims: Manifest = {"models": [{"name": "tiny"}]}
    return {
        "metadata": {"name": "pair", "namespace": "default"},
        "spec": {"modelClaims": claims, "replicas": 1, "workloadTemplate": template},
    }
