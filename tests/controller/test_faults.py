"""The controller in front of an API server that fails in every way that servers do."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from llmaz.api.names import SYSTEM_NAMESPACE
from llmaz.api.node import EnginePhase
from llmaz.kube import Kube
from support.cluster import Agent, install, make_namespace
from support.controllerprocess import PATIENCE_SECONDS, Cluster, ControllerProcess
from support.controlplane import EmbeddedServer
from support.faultproxy import Fault, FaultProxy, proxied

EVERYTHING: dict[Fault, float] = {
    "busy": 0.08,
    "broken": 0.08,
    "lost": 0.08,
    "unanswered": 0.08,
    "slow": 0.1,
    "expired": 0.05,
}
# Ten watches, a Lease and a write or two, each with a pause that grows to half a minute: so many
# take several seconds, and without a pause a moment.
REQUESTS, SHORTEST_SECONDS = 150, 1.5


@pytest.fixture
async def behind(
    embedded_server: EmbeddedServer, tmp_path: Path
) -> AsyncIterator[tuple[FaultProxy, Cluster, ControllerProcess]]:
    """A controller that reaches its server through the proxy, and a test that does not."""
    plane = embedded_server.start()
    async with (
        await Kube.connect(plane.kubeconfig) as kube,
        proxied(plane, tmp_path, seed=1) as proxy,
    ):
        await install(kube)
        await make_namespace(kube, SYSTEM_NAMESPACE)
        await make_namespace(kube, "team")
        controller = ControllerProcess(proxy.kubeconfig, tmp_path / "controller.log")
        controller.start()
        try:
            yield proxy, Cluster(kube, "team"), controller
        finally:
            controller.kill()


async def asked(proxy: FaultProxy, times: int) -> None:
    """Wait until the server was asked so often."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while proxy.asked.total() < times:
            await asyncio.sleep(0.02)


async def serving(cluster: Cluster, gpus: int) -> tuple[Agent, str]:
    agent = await cluster.agent(gpus=gpus)
    model = await cluster.model("qwen", agent)
    await cluster.playground("chat", model)
    await agent.assigned(["team/chat-0"])
    await agent.report(EnginePhase.READY)
    return agent, model


@pytest.mark.slow
async def test_requests_that_fail_in_every_way_disturb_nothing_and_all_is_done_in_the_end(
    behind: tuple[FaultProxy, Cluster, ControllerProcess],
) -> None:
    proxy, cluster, _ = behind
    agent, model = await serving(cluster, 6)
    (before,) = (await agent.seen()).spec.engines
    proxy.shares = EVERYTHING
    for replicas in (3, 1, 4, 2):
        await cluster.playground("chat", model, replicas)
        proxy.drop_watches()
        await agent.assigned([f"team/chat-{index}" for index in range(replicas)])
        assert (await agent.seen()).spec.engines[0] == before
    proxy.shares = {}
    await agent.report(EnginePhase.READY)
    await cluster.until("chat", lambda seen: seen["status"].get("ready") == "2/2")
    assert (await agent.seen()).spec.engines[0] == before


@pytest.mark.slow
async def test_a_server_that_is_away_is_not_asked_without_pause_and_nothing_ends(
    behind: tuple[FaultProxy, Cluster, ControllerProcess],
) -> None:
    proxy, cluster, controller = behind
    agent, model = await serving(cluster, 3)
    before = (await agent.seen()).spec.engines
    resident = controller.resident_mib()
    proxy.is_away = True
    proxy.drop_watches()
    proxy.asked.clear()
    away_since = time.monotonic()
    await cluster.playground("chat", model, 3)
    await asked(proxy, REQUESTS)
    assert time.monotonic() - away_since >= SHORTEST_SECONDS
    assert (await agent.seen()).spec.engines == before
    proxy.is_away = False
    after = await agent.assigned([f"team/chat-{index}" for index in range(3)])
    assert after[0] == before[0]
    assert controller.resident_mib() - resident < 64
