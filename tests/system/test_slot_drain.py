"""`kubectl drain` of a node whose slots serve: the requests go on, and so does the model."""

import asyncio
import sys
from pathlib import Path

import aiohttp
import pytest

from llmaz.api.kinds import ENDPOINT_SLICE
from support.cluster import eventually
from support.drowsy import NAME, serve_drowsy
from support.gatewayprocess import gateway
from support.kubelet.cluster import PATIENCE_SECONDS, SlotCluster, slot_cluster
from support.kubelet.objects import Object

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

CLIENTS = 3
TOKENS = 20
REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."
KUBECTL = Path(sys.executable).with_name("kubectl")


async def kubectl(cluster: SlotCluster, *argv: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(str(KUBECTL), "--kubeconfig", str(cluster.pods.plane.kubeconfig), *argv),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()


async def keep_asking(url: str, stop: asyncio.Event, answered: list[str]) -> None:
    """Ask for one answer after another, each of which has to come whole."""
    body = {"model": NAME, "prompt": "Hi", "max_tokens": TOKENS}
    timeout = aiohttp.ClientTimeout(total=600)
    async with aiohttp.ClientSession(timeout=timeout) as client:
        while not stop.is_set():
            async with client.post(f"{url}/v1/completions", json=body) as answer:
                text = await answer.text()
                assert answer.status == 200, text
                assert f"t{TOKENS - 1}" in text
                answered.append(text)


async def until_routed(url: str) -> None:
    """Wait until the gateway has heard of the endpoints."""
    body = {"model": NAME, "prompt": "Hi", "max_tokens": 1}
    async with aiohttp.ClientSession() as client, asyncio.timeout(PATIENCE_SECONDS):
        while (await client.post(f"{url}/v1/completions", json=body)).status != 200:
            await asyncio.sleep(0.1)


async def drain(cluster: SlotCluster, node: str) -> str:
    options = ("--ignore-daemonsets", "--delete-emptydir-data", "--timeout=500s")
    return await kubectl(cluster, "drain", node, *options)


def watched(cluster: SlotCluster) -> dict[str, set[str]]:
    """Have each pod's end note the addresses that take requests at its first signal."""
    seen: dict[str, set[str]] = {}

    async def look(address: str) -> None:
        listing = await cluster.kube.list(ENDPOINT_SLICE, "default")
        endpoints = (one for slice_ in listing.items for one in _endpoints(slice_))
        ready = (one["addresses"] for one in endpoints if one["conditions"]["ready"])
        seen[address] = {each for addresses in ready for each in addresses}

    for kubelet in cluster.kubelets:
        kubelet.before_signal = look
    return seen


def _endpoints(slice_: object) -> list[Object]:
    assert isinstance(slice_, dict)
    return list(slice_["endpoints"])


async def serving_nodes(cluster: SlotCluster) -> dict[str, str]:
    """Return the nodes of pods that are ready and stay, with the pods' names."""
    return {
        pod["spec"]["nodeName"]: name
        for name, pod in (await cluster.living()).items()
        for one in pod.get("status", {}).get("conditions") or ()
        if (one["type"], one["status"]) == ("Ready", "True")
    }


async def drained_under_load(
    cluster: SlotCluster, directory: Path, node: str, *, replicas: int
) -> str:
    """Drain a node while clients ask, until others serve; return what kubectl says."""
    async with gateway(cluster.pods.plane.kubeconfig, directory / "gateway.log") as url:
        await cluster.until(NAME, "PlaygroundReady")
        await until_routed(url)
        stop, answered = asyncio.Event(), list[str]()
        async with asyncio.TaskGroup() as clients:
            for _ in range(CLIENTS):
                clients.create_task(keep_asking(url, stop, answered))
            said = await drain(cluster, node)
            await eventually(
                lambda: serving_nodes(cluster),
                lambda found: len(found) == replicas and node not in found,
                PATIENCE_SECONDS,
            )
            stop.set()
    assert answered
    return said


async def test_a_node_is_drained_by_kubectl_and_no_request_fails(tmp_path: Path) -> None:
    """Two replicas, each of which fills its node, and a third node that takes one over."""
    async with slot_cluster(tmp_path, nodes=("one", "two", "three")) as cluster:
        # It answers for a while after its signal, as vLLM's do: a slow gateway may still come.
        weights = tmp_path / "tiny.gguf"
        await serve_drowsy(cluster.kube, weights, replicas=2, cpu="5", drain_seconds=10)
        before = await eventually(
            lambda: serving_nodes(cluster), lambda found: len(found) == 2, PATIENCE_SECONDS
        )
        node = min(before)
        seen = watched(cluster)
        said = await drained_under_load(cluster, tmp_path, node, replicas=2)
        assert f"evicting pod default/{before[node]}" in said
        assert f"node/{node} drained" in said
        assert [address for address, ready in seen.items() if address in ready] == []
        await kubectl(cluster, "uncordon", node)


async def test_the_only_replica_of_a_drained_node_is_served_without_a_gap(tmp_path: Path) -> None:
    """kubectl asks for its eviction until another slot serves: a budget holds it until then."""
    async with slot_cluster(tmp_path, nodes=("one", "two")) as cluster:
        await serve_drowsy(cluster.kube, tmp_path / "tiny.gguf", drain_seconds=10)
        before = await eventually(
            lambda: serving_nodes(cluster), lambda found: len(found) == 1, PATIENCE_SECONDS
        )
        (node,) = before
        seen = watched(cluster)
        said = await drained_under_load(cluster, tmp_path, node, replicas=1)
        assert REFUSED in said
        assert f"node/{node} drained" in said
        ((old, ready),) = seen.items()
        assert len(ready) == 1
        assert old not in ready
