"""Labels by way of Node Feature Discovery."""

import asyncio
import dataclasses
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from llmaz.api.kinds import CUSTOM_RESOURCE_DEFINITION, NODE, NODE_FEATURE
from llmaz.api.manifest import Manifest
from llmaz.api.meta import Condition
from llmaz.api.names import SYSTEM_NAMESPACE
from llmaz.controller.actions import ApplyOwned, SetLabels
from llmaz.controller.owned import owner_of
from llmaz.controller.plan import plan
from llmaz.kube import Kube
from support.builders import NOW, node
from support.chart import only, rendered, the
from support.cluster import Agent, eventually, install, make_namespace
from support.controllerprocess import ControllerProcess
from support.controlling import World
from support.controlplane import EmbeddedServer


def labelled(world: World) -> list[ApplyOwned | SetLabels]:
    snapshot = dataclasses.replace(world.snapshot(), node_features=True)
    return [
        action
        for action in plan(snapshot, NOW).actions
        if isinstance(action, ApplyOwned | SetLabels) and action.ref.kind in (NODE, NODE_FEATURE)
    ]


def settle(world: World) -> None:
    """Plan and perform with discovery at work, until nothing is left to do."""
    for _ in range(9):
        actions = plan(dataclasses.replace(world.snapshot(), node_features=True), world.now).actions
        if not actions:
            return
        for action in actions:
            world.perform(action)
    raise AssertionError("does not settle")


def told(world: World) -> list[Any]:
    """Return the labels in every NodeFeature."""
    features = (one for ref, one in world.manifests.items() if ref.kind == NODE_FEATURE)
    return [cast("Any", one)["spec"]["labels"] for one in features]


def test_discovery_is_told_and_no_node_is_written() -> None:
    world = World().add(node("n1", 2))
    (write,) = labelled(world)
    assert isinstance(write, ApplyOwned)
    assert (write.ref.kind, write.ref.namespace) == (NODE_FEATURE, SYSTEM_NAMESPACE)
    made: Any = write.manifest
    assert made["metadata"]["labels"]["nfd.node.kubernetes.io/node-name"] == "n1"
    assert made["spec"]["labels"]["llmaz.io/accelerator.count"] == "2"
    assert owner_of(write.manifest) == world.nodes["n1"].metadata.uid
    world.perform(write)
    assert labelled(world) == []


def test_a_node_that_has_no_accelerators_any_more_loses_its_labels() -> None:
    world = World().add(node("n1", 1))
    world.perform(labelled(world)[0])
    world.add(node("n1"))
    (write,) = labelled(world)
    assert isinstance(write, ApplyOwned)
    assert cast("Any", write.manifest)["spec"] == {"labels": {}}


def test_nothing_is_told_of_a_node_without_accelerators() -> None:
    assert labelled(World().add(node("n1"))) == []


def test_discovery_is_told_that_the_labels_of_a_silent_node_are_what_was_known() -> None:
    one = node("n1", 2)
    ready = Condition(type="Ready", status="True", reason="AgentReady")
    world = World().add(
        dataclasses.replace(one, status=dataclasses.replace(one.status, conditions=(ready,)))
    )
    settle(world)
    (known,) = told(world)
    world.lose("n1")
    world.now += timedelta(minutes=1)
    settle(world)
    assert told(world) == [{**known, "llmaz.io/accelerator.stale": "true"}]
    del world.lost["n1"]
    settle(world)
    assert told(world) == [known]


def test_the_chart_then_gives_the_controller_no_write_of_nodes() -> None:
    objects = rendered({"controller.nodeLabels": "nfd"})
    rules = the(objects, "ClusterRole", "llmaz-controller")["rules"]
    nodes = [rule for rule in rules if "nodes" in rule["resources"]]
    assert [rule["verbs"] for rule in nodes] == [["list", "watch"]]
    (role,) = [
        one for one in only(objects, "Role") if one["metadata"]["name"] == "llmaz-controller"
    ]
    assert "nodefeatures" in [name for rule in role["rules"] for name in rule["resources"]]


async def test_the_controller_serves_before_discovery_is_there_and_tells_it_then(
    tmp_path: Path,
) -> None:
    server = EmbeddedServer(tmp_path / "server")
    plane = await asyncio.to_thread(server.start)
    controller = ControllerProcess(plane.kubeconfig, tmp_path / "log")
    controller.start("tests", "--node-features")
    try:
        async with await Kube.connect(plane.kubeconfig) as kube:
            await install(kube)
            await make_namespace(kube, SYSTEM_NAMESPACE)
            await Agent(kube, "worker").register(gpus=1)
            await kube.create(CUSTOM_RESOURCE_DEFINITION, _definition())
            told: Any = await eventually(lambda: kube.list(NODE_FEATURE), lambda it: it.items)
            assert told.items[0]["spec"]["labels"]["llmaz.io/accelerator.count"] == "1"
            seen: Any = await kube.get(NODE, "worker")
            assert not any("llmaz.io/" in key for key in seen["metadata"].get("labels") or {})
    finally:
        controller.stop()
        await asyncio.to_thread(server.stop)


def _definition() -> Manifest:
    """As much of discovery's definition as matters."""
    text: Any = {"type": "object", "additionalProperties": {"type": "string"}}
    spec: Any = {"type": "object", "properties": {"labels": text}}
    schema: Any = {"type": "object", "required": ["spec"], "properties": {"spec": spec}}
    version: Any = {
        "name": NODE_FEATURE.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
    }
    words: Any = {
        "kind": NODE_FEATURE.kind,
        "plural": NODE_FEATURE.plural,
        "singular": "nodefeature",
        "listKind": "NodeFeatureList",
    }
    name = f"{NODE_FEATURE.plural}.{NODE_FEATURE.group}"
    scope: Any = {"group": NODE_FEATURE.group, "names": words, "scope": "Namespaced"}
    return {"metadata": {"name": name}, "spec": {**scope, "versions": [version]}}
