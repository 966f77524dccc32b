"""Slots end to end: a Playground, a pod, a real llama.cpp in it, and what happens to all three."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from llmaz.api.kinds import OPEN_MODEL, PLAYGROUND
from llmaz.api.node import EnginePhase, NodeStatus
from llmaz.controller.slots.policy import SlotPolicy
from support.cluster import eventually
from support.kubelet.cluster import SlotCluster, slot_cluster
from support.kubelet.containerd import containerd, why_no_containerd
from support.kubelet.objects import Object
from support.smollm2 import SMOLLM2

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


async def serve(cluster: SlotCluster, model: str = "smollm2") -> None:
    spec: Any = {"familyName": "smollm2", "source": {"uri": f"host://{SMOLLM2}"}}
    made: Any = {"metadata": {"name": model}, "spec": spec}
    await cluster.kube.apply(OPEN_MODEL, made, manager="tests")
    config = {"backendName": "llamacpp-cpu"}
    wanted: Any = {"modelClaim": {"modelName": model}, "backendRuntimeConfig": config}
    metadata: Any = {"name": "chat", "namespace": "default"}
    playground: Any = {"metadata": metadata, "spec": {"replicas": 1, **wanted}}
    await cluster.kube.apply(PLAYGROUND, playground, manager="tests")
    await cluster.until("chat", "PlaygroundReady")


async def models(cluster: SlotCluster, url: str) -> list[str]:
    """Return what an engine says that it serves; nothing while there is none."""
    with contextlib.suppress(aiohttp.ClientError):
        async with cluster.client.get(f"{url}/v1/models") as answer:
            return [one["id"] for one in (await answer.json()).get("data", ())]
    return []


def is_renewed(status: NodeStatus, old: str) -> bool:
    """Tell whether the engine is ready as something else than it was."""
    return any(
        (one.id, one.phase) == ("default/chat-0", EnginePhase.READY) and one.fingerprint != old
        for one in status.engines or ()
    )


def model_of(pod: Object) -> str:
    return str(pod["metadata"]["labels"]["llmaz.io/model-name"])


async def outlive_the_agent(cluster: SlotCluster, url: str) -> None:
    """Kill the agent and start another; the engine answers meanwhile and is the same afterwards."""
    before = await cluster.agent.engine("Ready", "default/chat-0")
    await cluster.agent.end(signal.SIGKILL)
    assert await cluster.ask(url, "smollm2")
    await cluster.agent.start()
    after = await cluster.agent.engine("Ready", "default/chat-0")
    assert (after.pid, after.restarts) == (before.pid, before.restarts)


async def test_a_model_is_served_from_a_pod_that_outlives_the_agent_and_is_replaced_when_evicted(
    tmp_path: Path,
) -> None:
    async with slot_cluster(tmp_path, disruptionBudget=False) as cluster:  # evictions come at once
        await serve(cluster)
        pod = await cluster.pod()
        url = await cluster.endpoint("chat")
        assert url == f"http://{pod['status']['podIP']}:8080"
        assert await cluster.ask(url, "smollm2")
        await outlive_the_agent(cluster, url)
        assert (await cluster.pod())["metadata"]["uid"] == pod["metadata"]["uid"]

        old = (await cluster.agent.engine("Ready", "default/chat-0")).fingerprint
        await serve(cluster, "other")  # another model, in the same pod
        await cluster.agent.until(lambda status: is_renewed(status, old), "the model stays")
        await eventually(lambda: models(cluster, url), lambda found: found == ["other"])
        await cluster.until("chat", "PlaygroundReady")
        changed = await eventually(cluster.pod, lambda found: model_of(found) == "other")
        assert changed["metadata"]["uid"] == pod["metadata"]["uid"]
        assert await cluster.ask(await cluster.endpoint("chat"), "other")

        answer = asyncio.create_task(cluster.ask(url, "other", tokens=64))
        await cluster.until_busy(url, answer)
        assert await cluster.pods.evict("default", pod["metadata"]["name"]) == 201
        assert await answer  # what runs is finished
        new = await cluster.pod(but=pod["metadata"]["uid"])
        assert await cluster.ask(await cluster.endpoint("chat"), "other")

        await cluster.cordon(on=True)
        assert await cluster.pods.evict("default", new["metadata"]["name"]) == 201
        await cluster.until("chat", "0/1 nodes are available: it is cordoned")
        await cluster.cordon(on=False)
        await cluster.pod(but=new["metadata"]["uid"])
        await cluster.until("chat", "PlaygroundReady")
        assert await cluster.ask(await cluster.endpoint("chat"), "other")


async def hand_over(cluster: SlotCluster) -> None:
    """Let pods have the directory of slots once one of them has begun."""

    async def begun() -> list[Path]:
        return list(cluster.kubelet.directory.glob("pods/*/shim.log"))

    await eventually(begun, bool)
    os.chown(cluster.slots, SlotPolicy().user, SlotPolicy().user)


@pytest.mark.skipif(why_no_containerd() is not None, reason=str(why_no_containerd()))
async def test_a_slot_runs_in_containers_of_a_real_runtime(tmp_path: Path) -> None:
    """The pod's own user, no capabilities, a seccomp profile, and a root with nothing else."""
    async with (
        containerd() as daemon,
        slot_cluster(tmp_path, make=daemon.container, disruptionBudget=False) as cluster,
    ):
        os.chown(cluster.slots, 0, 0)  # a pod that comes before the agent's own to a new node
        later = asyncio.create_task(hand_over(cluster))
        await serve(cluster)
        await later
        pod = await cluster.pod()
        url = await cluster.endpoint("chat")
        assert await cluster.ask(url, "smollm2")

        await outlive_the_agent(cluster, url)

        answer = asyncio.create_task(cluster.ask(url, "smollm2", tokens=64))
        await cluster.until_busy(url, answer)
        assert await cluster.pods.evict("default", pod["metadata"]["name"]) == 201
        assert await answer  # what runs is finished
        await cluster.pod(but=pod["metadata"]["uid"])
        assert await cluster.ask(await cluster.endpoint("chat"), "smollm2")
