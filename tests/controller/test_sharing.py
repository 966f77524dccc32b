"""Priorities, tenants and drains on a real API server, by the controller's process."""

import uuid
from typing import Any, cast

from llmaz.api.kinds import EVENT, NODE, PRIORITY_CLASS, TENANT
from llmaz.api.manifest import Manifest
from llmaz.api.node import EnginePhase, InferenceNode
from support.cluster import condition, eventually
from support.controllerprocess import Cluster


async def test_a_more_important_playground_displaces_another_and_both_are_told(
    cluster: Cluster,
) -> None:
    agent = await cluster.agent(gpus=1)
    model = await cluster.model("qwen", agent)
    await cluster.playground("batch", model)
    await agent.assigned([f"{cluster.namespace}/batch-0"])
    await agent.report(EnginePhase.READY)
    name = f"high-{uuid.uuid4().hex[:6]}"
    await cluster.kube.create(PRIORITY_CLASS, {"metadata": {"name": name}, "value": 1000})
    spec = {"modelClaim": {"modelName": model}, "placement": {"priorityClassName": name}}
    await cluster.apply("vip", spec)

    async def goes_on() -> InferenceNode:
        """An agent that reads each assignment, and does what it says at once."""
        await agent.report(EnginePhase.READY)
        return await agent.seen()

    await eventually(goes_on, lambda node: [one.service for one in node.spec.engines] == ["vip"])
    listing = await eventually(
        lambda: cluster.kube.list(EVENT, cluster.namespace),
        lambda found: {"Preempted", "Displacing"} <= {str(one["reason"]) for one in found.items},
    )
    told = {
        str(one["reason"]): str(cast("Manifest", one["involvedObject"])["name"])
        for one in listing.items
    }
    assert (told["Preempted"], told["Displacing"]) == ("batch", "vip")
    seen = await cluster.until(
        "batch", lambda seen: "higher priority" in condition(seen, "Available").get("message", "")
    )
    assert "0 of 1 nvidia.com/gpu" in condition(seen, "Available")["message"]
    await cluster.kube.delete(PRIORITY_CLASS, name)


async def test_a_tenant_is_kept_within_its_limit_and_says_what_it_uses(cluster: Cluster) -> None:
    name = f"tenant-{uuid.uuid4().hex[:6]}"
    limit = {"nvidia.com/gpu": 1}
    spec: Any = {"namespaces": [cluster.namespace], "quota": limit, "limit": limit}
    await cluster.kube.apply(TENANT, {"metadata": {"name": name}, "spec": spec}, manager="tests")
    agent = await cluster.agent(gpus=2)
    await cluster.playground("chat", await cluster.model("qwen", agent), 2)
    await agent.assigned([f"{cluster.namespace}/chat-0"])
    words = f"tenant {name} uses 1 of at most 1 nvidia.com/gpu"
    await cluster.until(
        "chat", lambda seen: words in condition(seen, "Available").get("message", "")
    )
    seen = await eventually(
        lambda: cluster.kube.get(TENANT, name),
        lambda found: cast("Any", found.get("status") or {}).get("waiting") == 1,
    )
    assert cast("Any", seen["status"])["use"] == "1/1 nvidia.com/gpu"
    await cluster.kube.delete(TENANT, name)


async def test_a_drained_node_is_left_only_when_the_successor_is_ready(cluster: Cluster) -> None:
    old, new = await cluster.agent(gpus=1), await cluster.agent(gpus=1)
    model = await cluster.model("qwen", old, new)
    await cluster.playground("chat", model)
    id_ = f"{cluster.namespace}/chat-0"
    await old.assigned([id_])
    await old.report(EnginePhase.READY)
    await cluster.until("chat", lambda seen: seen["status"].get("readyReplicas") == 1)
    drained: Manifest = {"metadata": {"annotations": {"llmaz.io/drain": "new memory"}}}
    await cluster.kube.patch(NODE, old.node, drained)

    async def starts() -> InferenceNode:
        """The new node's agent has fetched the weights, and starts what it is told."""
        await new.report(EnginePhase.STARTING)
        return await new.seen()

    await eventually(starts, lambda node: [one.id for one in node.spec.engines] == [id_])
    assert [one.id for one in (await old.seen()).spec.engines] == [id_]
    await new.report(EnginePhase.READY)
    await old.assigned([])
    seen = await cluster.until("chat", lambda seen: seen["status"].get("readyReplicas") == 1)
    assert condition(seen, "Available")["status"] == "True"
