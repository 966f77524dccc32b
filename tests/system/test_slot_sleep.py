"""An idle engine in a slot sleeps, then gives its pod back; a request brings it again."""

from pathlib import Path
from typing import Any

import pytest

from llmaz.api.kinds import PLAYGROUND, POD
from support.cluster import eventually
from support.drowsy import NAME, lighten, serve_drowsy
from support.gatewayprocess import gateway
from support.kubelet.cluster import PATIENCE_SECONDS, SlotCluster, slot_cluster
from support.kubelet.objects import Object

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


async def asks(cluster: SlotCluster, url: str) -> None:
    body: Any = {"model": NAME, "prompt": "Hi", "max_tokens": 2}
    async with cluster.client.post(f"{url}/v1/completions", json=body) as answer:
        assert answer.status == 200, await answer.text()


async def until_released(cluster: SlotCluster) -> None:
    async def pods() -> list[object]:
        return list((await cluster.kube.list(POD, "default")).items)

    await eventually(pods, lambda found: not found, PATIENCE_SECONDS)


def are_running(pods: dict[str, Object]) -> bool:
    """What sleeps is not ready."""
    return all(pod["status"].get("phase") == "Running" for pod in pods.values())


async def test_an_engine_sleeps_in_its_pod_and_a_playground_at_zero_has_none(
    tmp_path: Path,
) -> None:
    async with (
        slot_cluster(tmp_path) as cluster,
        gateway(cluster.pods.plane.kubeconfig, tmp_path / "gateway.log") as url,
    ):
        await serve_drowsy(cluster.kube, tmp_path / "tiny.gguf", sleepSeconds=1, idleSeconds=3600)
        await cluster.until(NAME, "sleeps on")
        asleep = await cluster.agent.engine("Asleep", f"default/{NAME}-0")
        ((name, pod),) = (await eventually(cluster.living, are_running)).items()
        await asks(cluster, url)  # wakes it
        status = (await cluster.agent.shown()).status
        assert status is not None
        assert [one.pid for one in status.engines or ()] == [asleep.pid]
        assert list(await cluster.living()) == [name]

        await lighten(cluster.kube, sleepSeconds=1, idleSeconds=2)
        await until_released(cluster)
        found: Any = await cluster.kube.get(PLAYGROUND, NAME, "default")
        assert found["spec"]["replicas"] == 0
        await lighten(cluster.kube, sleepSeconds=1, idleSeconds=3600)  # what comes back stays
        await asks(cluster, url)  # the gateway brings it back
        ((_, new),) = (await cluster.living()).items()
        assert new["metadata"]["uid"] != pod["metadata"]["uid"]
