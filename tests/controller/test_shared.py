"""Accelerators that several engines share: who may come, who stays, and what is said of it."""

import dataclasses
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmaz.api import names
from llmaz.api.memory import ReplicaMemory
from llmaz.api.node import InferenceNode
from llmaz.api.placement import Placement
from llmaz.api.playground import BackendRuntimeConfig
from llmaz.api.quantity import Quantity
from llmaz.controller.board import capacity_of
from llmaz.controller.fleet import Fleet
from llmaz.controller.gfd import gfd_labels
from llmaz.controller.nodes import node_views
from llmaz.controller.snapshot import KubeNode
from support.builders import GPU, flavor, gpu, model, node, playground, runtime
from support.controlling import World, told
from support.groups import group_world, members
from support.placing import LLAMA, VLLM, large, sentence, sized

DISCOVERED = {
    "nvidia.com/gfd.timestamp": "1767268800",
    "nvidia.com/gpu.replicas": "4",
    "nvidia.com/gpu.sharing-strategy": "time-slicing",
}


def saying(one: InferenceNode, replicas: str) -> InferenceNode:
    """The node with a person's word on how many engines share each of its accelerators."""
    annotations = {names.ACCELERATOR_REPLICAS: replicas}
    return dataclasses.replace(
        one, metadata=dataclasses.replace(one.metadata, annotations=annotations)
    )


def say(world: World, replicas: str | None, name: str = "n1") -> None:
    one = world.nodes[name]
    if replicas is not None:
        world.nodes[name] = saying(one, replicas)
        return
    meta = dataclasses.replace(one.metadata, annotations={})
    world.nodes[name] = dataclasses.replace(one, metadata=meta)


def shared_world(replicas: int, gpus: int = 1, sharing: str = "4") -> World:
    return World().add(
        model("qwen", flavor("a10")),
        runtime(),
        playground("chat", "qwen", replicas),
        saying(node("n1", gpus), sharing),
    )


def owners(world: World) -> Counter[str]:
    return Counter(uuid for _, own in world.engines().values() for uuid in own)


def test_as_many_engines_share_an_accelerator_as_a_person_says_and_no_more() -> None:
    world = shared_world(5)
    world.settle()
    assert owners(world) == {"n1-0": 4}
    assert sentence(world).endswith("a10: 0 of 1 nodes fit: n1 has 0 of 1 nvidia.com/gpu")


def test_as_many_share_as_nvidias_feature_discovery_tells() -> None:
    world = World().add(
        model("qwen", flavor("a10")), runtime(), playground("chat", "qwen", 5), node("n1", 1)
    )
    world.kube_nodes["n1"] = KubeNode(name="n1", labels=DISCOVERED)
    world.settle()
    assert owners(world) == {"n1-0": 4}


@pytest.mark.parametrize(
    "wrong",
    [
        {"nvidia.com/gpu.sharing-strategy": "none"},
        {"nvidia.com/gpu.replicas": "many"},
        {"nvidia.com/gpu.replicas": "1000"},
        {"nvidia.com/gpu.replicas": "9" * 5000},
    ],
)
def test_labels_that_tell_of_no_sharing_are_none(wrong: dict[str, str]) -> None:
    world = World().add(
        model("qwen", flavor("a10")), runtime(), playground("chat", "qwen", 2), node("n1", 1)
    )
    world.kube_nodes["n1"] = KubeNode(name="n1", labels={**DISCOVERED, **wrong})
    world.settle()
    assert owners(world) == {"n1-0": 1}


def test_what_a_person_says_of_a_node_goes_before_what_discovery_tells() -> None:
    world = shared_world(5, sharing="2")
    world.kube_nodes["n1"] = KubeNode(name="n1", labels=DISCOVERED)
    world.settle()
    assert owners(world) == {"n1-0": 2}


def test_the_accelerator_with_the_fewest_engines_is_taken_first() -> None:
    world = shared_world(3, gpus=2)
    world.settle()
    assert owners(world) == {"n1-0": 2, "n1-1": 1}


def test_a_replica_gets_one_accelerator_of_a_node_that_shares_them() -> None:
    world = shared_world(1, gpus=2)
    world.add(model("qwen", flavor("pair", gpus=2)))
    world.settle()
    assert world.engines() == {}
    assert sentence(world) == (
        "pair: 0 of 1 nodes fit: n1 shares each nvidia.com/gpu among 4, and gives an engine one, "
        "not 2"
    )


def test_the_members_of_a_group_may_share_accelerators_with_others() -> None:
    world = group_world(nodes=2, replicas=2)
    for name in ("n1", "n2"):
        say(world, "2", name)
    world.settle()
    assert owners(world) == {"n1-0": 2, "n2-0": 2}
    assert {engine.epoch for engine in members(world).values()} == {1}


def vllm_world(*args: str, memory: ReplicaMemory | None = None) -> World:
    """A model of which all is known, and a node with one accelerator of 80 GiB that four share."""
    config = BackendRuntimeConfig(args=("--port", "80", *args))
    wanted = playground("chat", "qwen", config=config)
    placement = Placement(memory=memory) if memory is not None else Placement()
    return World().add(
        sized(model("qwen", flavor("any")), LLAMA),
        runtime(memory=VLLM),
        dataclasses.replace(wanted, spec=dataclasses.replace(wanted.spec, placement=placement)),
        saying(node("n1", [large("n1-0", 80)]), "4"),
    )


def test_an_engine_that_takes_more_than_its_share_of_the_memory_is_told_what_it_may_take() -> None:
    world = vllm_world()
    world.settle()
    assert world.engines() == {}
    assert sentence(world) == (
        "any: 0 of 1 nodes fit: n1 shares each nvidia.com/gpu among 4, and the engine takes 90 % "
        "of its memory, not 25"
    )


def test_an_engine_that_takes_no_more_than_its_share_fits() -> None:
    world = vllm_world("--gpu-memory-utilization", "0.25")
    world.settle()
    assert owners(world) == {"n1-0": 1}


def test_an_engine_fits_only_if_its_share_holds_what_it_needs() -> None:
    world = vllm_world(
        "--gpu-memory-utilization", "0.25", memory=ReplicaMemory(per_replica=Quantity("24Gi"))
    )
    world.settle()
    assert sentence(world) == (
        "any: 0 of 1 nodes fit: n1 has 0 of 1 nvidia.com/gpu with 24.0 GiB memory for each engine, "
        "the others have 20.0 for each that shares them (24.0 GiB are what was asked for)"
    )


def test_nobody_is_put_beside_what_took_an_accelerator_before_it_was_shared() -> None:
    world = vllm_world()
    say(world, None)
    world.settle()
    assert owners(world) == {"n1-0": 1}
    say(world, "4")
    world.add(model("small", flavor("any")), playground("other", "small"))
    world.settle()
    assert set(world.engines()) == {"default/chat-0"}


def test_what_shares_goes_on_when_it_may_no_more_and_nobody_else_comes() -> None:
    world = shared_world(3)
    world.settle()
    before = world.engines()
    for fewer in ("2", "1", None):
        say(world, fewer)
        world.settle()
        assert world.engines() == before
    world.edit("chat", 4)
    world.settle()
    assert world.engines() == before


def test_what_is_no_number_is_told_and_lets_nobody_come() -> None:
    world = shared_world(2)
    world.settle()
    say(world, "four")
    world.edit("chat", 3)
    world.settle()
    assert owners(world) == {"n1-0": 2}
    assert sentence(world).endswith(
        "a10: 0 of 1 nodes fit: n1 has an annotation llmaz.io/accelerator-replicas that is not "
        "1 to 64: four"
    )


def test_replicas_on_one_accelerator_are_updated_one_after_another() -> None:
    world = shared_world(4)
    world.settle()
    config = BackendRuntimeConfig(args=("--port", "80", "--new"))
    old = world.playground("chat")
    spec = dataclasses.replace(old.spec, backend_runtime_config=config)
    world.add(dataclasses.replace(old, spec=spec))
    fewest = 4
    for _ in range(40):
        acted = bool(world.decide())
        assert max(owners(world).values()) <= 4
        fewest = min(fewest, world.services[("default", "chat")].status.ready_replicas)
        if not world.tick() and not acted:
            break
    assert all("--new" in engine.args for engine in members(world).values())
    assert fewest == 3
    assert told(world.available("chat")) == ("True", "PlaygroundReady")


def test_replicas_that_are_drained_go_to_another_accelerator_that_is_shared() -> None:
    world = shared_world(4)
    world.settle()
    world.add(saying(node("n2", 1), "4"))
    world.kube_nodes["n1"] = KubeNode(name="n1", annotations={names.DRAIN: "new memory"})
    world.settle()
    assert owners(world) == {"n2-0": 4}


def test_labels_say_how_accelerators_are_shared_and_are_no_news_to_who_wrote_them() -> None:
    world = shared_world(1)
    world.settle()
    labels = world.kube_nodes["n1"].labels
    assert labels["nvidia.com/gpu.replicas"] == "4"
    assert labels["nvidia.com/gpu.sharing-strategy"] == "time-slicing"
    assert labels["nvidia.com/gpu.product"] == "NVIDIA-A10-SHARED"
    say(world, None)
    world.edit("chat", 2)
    world.settle()
    assert owners(world) == {"n1-0": 1}
    assert world.kube_nodes["n1"].labels["nvidia.com/gpu.replicas"] == "1"
    assert world.kube_nodes["n1"].labels["nvidia.com/gpu.product"] == "NVIDIA-A10"


def test_parts_of_a_device_are_shared_as_it_is() -> None:
    part = dataclasses.replace(
        gpu("MIG-1"),
        product="NVIDIA A30 MIG 1g.6gb",
        parent="GPU-1",
        profile="1g.6gb",
        resource="nvidia.com/mig-1g.6gb",
    )
    labels = gfd_labels([part], replicas=2)
    assert labels["nvidia.com/mig-1g.6gb.replicas"] == "2"
    assert labels["nvidia.com/mig-1g.6gb.sharing-strategy"] == "time-slicing"
    assert labels["nvidia.com/mig-1g.6gb.product"] == "NVIDIA-A30-MIG-1g.6gb-SHARED"
    assert labels["nvidia.com/gpu.replicas"] == "0"


def test_tenants_have_shares_of_accelerators_as_often_as_they_are_shared() -> None:
    world = shared_world(1, gpus=2)
    assert capacity_of(Fleet(node_views(world.snapshot(), world.now))) == {GPU: 8}


@settings(max_examples=20)
@given(
    sharing=st.lists(st.sampled_from(["1", "2", "3", "x"]), min_size=2, max_size=3),
    counts=st.lists(st.integers(0, 9), min_size=2, max_size=5),
    again=st.lists(st.sampled_from(["1", "2", "4"]), min_size=0, max_size=3),
)
def test_no_accelerator_ever_gets_more_engines_than_it_may_have(
    sharing: list[str], counts: list[int], again: list[str]
) -> None:
    world = World().add(model("qwen", flavor("a10"), flavor("pair", gpus=2)), runtime())
    world.add(*(saying(node(f"n{at}", 2), word) for at, word in enumerate(sharing)))
    world.add(playground("a", "qwen", counts[0]), playground("b", "qwen", counts[1]))
    allowed = {f"n{at}": int(word) if word != "x" else 0 for at, word in enumerate(sharing)}
    before = owners(world)
    for at, count in enumerate((counts[0], *counts[2:])):
        if at < len(again):
            say(world, again[at], f"n{at % len(sharing)}")
            allowed[f"n{at % len(sharing)}"] = int(again[at])
        world.edit("a", count)
        world.settle()
        after = owners(world)
        assert all(
            many <= max(allowed[uuid.partition("-")[0]], before[uuid])
            for uuid, many in after.items()
        )
        before = after
