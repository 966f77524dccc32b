"""Every reason for which a replica has no place, in words and as a number."""

import dataclasses
from collections.abc import Callable

import pytest

from llmaz.api.backendruntime import RecommendedConfig
from llmaz.api.placement import Capacity
from llmaz.controller.metrics import Metrics
from llmaz.controller.plan import plan
from llmaz.controller.shortage import Lack
from llmaz.controller.snapshot import KubeNode, Taint
from support.builders import asks, flavor, gpu, model, node, on, playground, runtime
from support.controlling import World
from support.placing import needing, placed_as, sentence, tenant


def asking(world: World) -> World:
    """One replica of one accelerator, and one node with one."""
    return world.add(
        model("qwen", flavor("a10")), runtime(), playground("chat", "qwen"), node("n1", 1)
    )


def _labels(world: World) -> None:
    world.add(model("qwen", on(flavor("a10"), pool="a")))


def _cordon(world: World) -> None:
    world.kube_nodes["n1"] = dataclasses.replace(world.kube_nodes["n1"], unschedulable=True)


def _taint(world: World) -> None:
    taint = Taint(key="k", effect="NoSchedule")
    world.kube_nodes["n1"] = dataclasses.replace(world.kube_nodes["n1"], taints=(taint,))


def _accelerators(world: World) -> None:
    world.add(node("n1", [gpu("n1-0", healthy=False)]))


def _accelerator_memory(world: World) -> None:
    world.add(needing(world.models["qwen"], "40Gi"))


def _cpu(world: World) -> None:
    config = RecommendedConfig(args=("{{ .Port }}",), resources=asks("65", "1Gi"))
    world.add(runtime(recommended_configs=(config,)))


def _memory(world: World) -> None:
    config = RecommendedConfig(args=("{{ .Port }}",), resources=asks("1", "257Gi"))
    world.add(runtime(recommended_configs=(config,)))


def _unreported(world: World) -> None:
    one = world.nodes["n1"]
    world.nodes["n1"] = dataclasses.replace(
        one, status=dataclasses.replace(one.status, accelerators=None)
    )


def _limit(world: World) -> None:
    world.tenants["a"] = tenant("a", "default", limit=0)


def _commands(world: World) -> None:
    world.add(model("qwen", flavor("a10", PP="2")))


@pytest.mark.parametrize(
    ("change", "lack", "words"),
    [
        (_labels, Lack.LABELS, "a10: 0 of 1 nodes fit: none is labelled pool=a"),
        (_cordon, Lack.CLOSED, "a10: 0 of 1 nodes fit: n1 is cordoned"),
        (_taint, Lack.TAINT, "n1 is tainted k:NoSchedule"),
        (_accelerators, Lack.ACCELERATORS, "n1 has 0 of 1 nvidia.com/gpu (1 not well: )"),
        (_accelerator_memory, Lack.ACCELERATOR_MEMORY, "with 40.0 GiB memory"),
        (_cpu, Lack.CPU, "n1 has 64 cpu free, short of 65"),
        (_memory, Lack.MEMORY, "n1 has 256.0 GiB memory free, short of 257.0"),
        (_unreported, Lack.UNREPORTED, "n1 has not reported its accelerators"),
        (_limit, Lack.TENANT_LIMIT, "a10: tenant a uses 0 of at most 0 nvidia.com/gpu"),
        (_commands, Lack.COMMANDS, "a10: PP 2 takes a group of 2 nodes"),
    ],
)
def test_each_reason_is_told_and_counted(
    change: Callable[[World], None], lack: Lack, words: str
) -> None:
    world = asking(World())
    change(world)
    world.settle()
    assert words in sentence(world)
    metrics = Metrics()
    metrics.decided(0.001, plan(world.snapshot(), world.now))
    name, registry = "llmaz_controller_unplaced_replicas", metrics.registry
    counted = {one: registry.get_sample_value(name, {"lack": one}) for one in Lack}
    assert {one for one, count in counted.items() if count} == {lack}


def test_more_than_three_nodes_are_counted_and_not_named() -> None:
    world = asking(World()).add(*(node(f"n{number}") for number in range(1, 6)))
    world.settle()
    assert sentence(world).endswith("n3 has 0 of 1 nvidia.com/gpu, and 2 more")


def test_nodes_that_have_no_such_flavor_are_counted_by_what_they_lack() -> None:
    base = Capacity(base=1, base_type="spot")
    world = World().add(model("qwen", on(flavor("a10"), pool="a")), runtime())
    world.add(placed_as("chat", "qwen", capacity=base))
    for name, pool, price in (("n1", "a", "spot"), ("n2", "a", "on-demand"), ("n3", "b", "spot")):
        world.add(node(name))
        labels = {"pool": pool, "karpenter.sh/capacity-type": price}
        world.kube_nodes[name] = KubeNode(name=name, labels=labels)
    world.settle()
    assert sentence(world).endswith(
        "n1 has 0 of 1 nvidia.com/gpu, 1 not labelled pool=a, 1 not spot"
    )
