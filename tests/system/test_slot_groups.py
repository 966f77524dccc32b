"""A group in slots on two nodes: pods that are bound together, and what becomes of one of them."""

from pathlib import Path
from typing import Any

import pytest

from llmaz.api.kinds import CORE_SERVICE, ENDPOINT_SLICE, OPEN_MODEL, SERVICE
from llmaz.api.node import EngineReport
from support.cluster import eventually
from support.kubelet.cluster import PATIENCE_SECONDS, SlotCluster, slot_cluster
from support.kubelet.objects import Object
from support.nodes import FAKE_ENGINE
from support.twonodes import LEADER, WORKER, pair
from support.weights import gguf

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def member() -> Any:  # noqa: ANN401  # JSON
    command = ["python", str(FAKE_ENGINE), "--port", "$(LLMAZ_PORT)", "--host", "$(LLMAZ_HOST)"]
    environment = [
        {"name": name, "value": f"$({name})"}
        for name in ("LWS_LEADER_ADDRESS", "LWS_GROUP_SIZE", "LWS_WORKER_INDEX")
    ]
    runner: Any = {
        "name": "model-runner",
        "image": "engine:1",
        "command": [*command, "--model", "tiny", "--print-environment"],
        "env": environment,
    }
    return {"spec": {"containers": [runner], "terminationGracePeriodSeconds": 5}}


async def members(cluster: SlotCluster, *, later_than: int = 0) -> dict[str, EngineReport]:
    """Return what the agents say of the group once it is ready in one epoch after another."""

    async def look() -> dict[str, EngineReport]:
        statuses = [(await agent.shown()).status for agent in cluster.agents]
        shown = [report for one in statuses if one is not None for report in one.engines or ()]
        return {report.id: report for report in shown if report.phase == "Ready"}

    def is_whole(found: dict[str, EngineReport]) -> bool:
        epochs = {report.epoch for report in found.values()}
        return found.keys() == {LEADER, WORKER} and len(epochs) == 1 and min(epochs) > later_than

    return await eventually(look, is_whole, PATIENCE_SECONDS)


async def pods_by_rank(cluster: SlotCluster) -> list[Object]:
    pods = await cluster.living()
    return sorted(pods.values(), key=lambda pod: pod["metadata"]["labels"]["llmaz.io/rank"])


async def said_by(engine: EngineReport) -> str:
    return Path(engine.log).read_text()


async def endpoints(cluster: SlotCluster) -> list[Any]:
    listing = await cluster.kube.list(ENDPOINT_SLICE, "default")
    return [one for made in listing.items for one in _json(made)["endpoints"]]


async def test_a_group_runs_in_pods_on_two_nodes_and_outlives_each_of_its_members(
    tmp_path: Path,
) -> None:
    weights = tmp_path / "tiny.gguf"
    weights.write_bytes(gguf())
    source: Any = {"familyName": "tiny", "source": {"uri": f"host://{weights}"}}
    async with slot_cluster(tmp_path, nodes=("first", "second")) as cluster:
        await cluster.kube.apply(
            OPEN_MODEL, {"metadata": {"name": "tiny"}, "spec": source}, manager="tests"
        )
        await cluster.kube.apply(SERVICE, pair(member()), manager="tests")
        before = await members(cluster)
        leader, worker = await pods_by_rank(cluster)
        assert {leader["spec"]["nodeName"], worker["spec"]["nodeName"]} == {"first", "second"}
        assert before[LEADER].address == leader["status"]["podIP"]
        assert before[WORKER].address == worker["status"]["podIP"]
        told = await eventually(
            lambda: said_by(before[WORKER]), lambda text: "LWS_WORKER_INDEX=1" in text
        )
        assert f"LWS_LEADER_ADDRESS={leader['status']['podIP']}" in told
        await only_the_leader_takes_requests(cluster, leader)

        cluster.run_of(worker).kill_container()  # it starts again in the same pod
        again = await members(cluster, later_than=before[LEADER].epoch)
        assert [pod["metadata"]["uid"] for pod in await pods_by_rank(cluster)] == [
            leader["metadata"]["uid"],
            worker["metadata"]["uid"],
        ]

        assert await cluster.pods.evict("default", worker["metadata"]["name"]) == 201
        after = await members(cluster, later_than=again[LEADER].epoch)
        same, other = await pods_by_rank(cluster)
        assert same["metadata"]["uid"] == leader["metadata"]["uid"]
        assert other["metadata"]["uid"] != worker["metadata"]["uid"]
        assert after[WORKER].address == other["status"]["podIP"]
        await only_the_leader_takes_requests(cluster, leader)


async def only_the_leader_takes_requests(cluster: SlotCluster, leader: Object) -> None:
    found = await eventually(
        lambda: endpoints(cluster), lambda found: any(one["conditions"]["ready"] for one in found)
    )
    assert [one["addresses"] for one in found] == [[leader["status"]["podIP"]]]
    core = _json(await cluster.kube.get(CORE_SERVICE, "pair-lb", "default"))
    assert core["spec"]["ports"][0]["port"] == 8080


def _json(manifest: object) -> Any:  # noqa: ANN401  # JSON, which a test looks into
    return manifest
