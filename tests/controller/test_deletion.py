"""Objects that need each other may be deleted in any order; nothing that was made of them stays."""

from contextlib import suppress
from itertools import permutations

import pytest

from llmaz.api.kinds import (
    BACKEND_RUNTIME,
    CONTROLLER_REVISION,
    CORE_SERVICE,
    ENDPOINT_SLICE,
    HORIZONTAL_POD_AUTOSCALER,
    OPEN_MODEL,
    PLAYGROUND,
    SERVICE,
    Kind,
)
from llmaz.api.manifest import Manifest
from llmaz.api.node import EnginePhase
from llmaz.kube import NotFound
from support.cluster import eventually, reason
from support.controllerprocess import Cluster

GIVEN = (PLAYGROUND, OPEN_MODEL, BACKEND_RUNTIME, SERVICE)
MADE = (CORE_SERVICE, ENDPOINT_SLICE, CONTROLLER_REVISION, HORIZONTAL_POD_AUTOSCALER)


@pytest.mark.slow
@pytest.mark.usefixtures("collecting_plane")
async def test_nothing_is_left_whatever_is_deleted_first(cluster: Cluster) -> None:
    agent = await cluster.agent()
    orders = {f"p{index}": order for index, order in enumerate(permutations(GIVEN))}
    for name in orders:
        await make(cluster, name)
    await agent.assigned([f"{cluster.namespace}/{name}-0" for name in orders])
    await agent.report(EnginePhase.READY)
    for name in orders:
        await cluster.until(name, lambda seen: reason(seen, "Available") == "PlaygroundReady")
    for name, order in orders.items():
        for kind in order:
            with suppress(NotFound):  # a Service may have gone with its Playground
                await cluster.kube.delete(kind, *whole_name(cluster, kind, name))
    await agent.assigned([])
    for kind in (PLAYGROUND, SERVICE, *MADE):
        await eventually(
            lambda kind=kind: cluster.kube.list(kind, cluster.namespace),  # type: ignore[misc]  # defaults bind the loop's values
            lambda listing: not listing.items,
        )
    assert not (await agent.seen()).spec.models


async def make(cluster: Cluster, name: str) -> None:
    """Make a Playground of the name, with a model, a backend and an autoscaler of its own."""
    shared = f"{cluster.namespace}-{name}"
    here: Manifest = {"kubernetes.io/hostname": cluster.agents[0].node}
    model: Manifest = {
        "familyName": "family",
        "source": {"modelHub": {"modelID": "org/model"}},
        "inferenceConfig": {"flavors": [{"name": "any", "nodeSelector": here}]},
    }
    backend: Manifest = {
        "image": "engine",
        "version": "v1",
        "recommendedConfigs": [{"name": "default", "args": ["--port", "{{ .Port }}"]}],
    }
    target: Manifest = {"type": "Utilization", "averageUtilization": 50}
    metric: Manifest = {"type": "Resource", "resource": {"name": "cpu", "target": target}}
    elastic: Manifest = {
        "minReplicas": 1,
        "maxReplicas": 2,
        "scaleTrigger": {"hpa": {"metrics": [metric]}},
    }
    for kind, spec in ((OPEN_MODEL, model), (BACKEND_RUNTIME, backend)):
        given: Manifest = {"metadata": {"name": shared}, "spec": spec}
        await cluster.kube.apply(kind, given, manager="tests")
    await cluster.apply(
        name,
        {
            "modelClaim": {"modelName": shared},
            "backendRuntimeConfig": {"backendName": shared},
            "elasticConfig": elastic,
        },
    )


def whole_name(cluster: Cluster, kind: Kind, name: str) -> tuple[str, str | None]:
    if kind in (OPEN_MODEL, BACKEND_RUNTIME):
        return f"{cluster.namespace}-{name}", None
    return name, cluster.namespace
