"""Which flavor and which node a replica gets, and what is said where it gets none."""

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from llmaz.api.backendruntime import RecommendedConfig
from llmaz.controller.snapshot import KubeNode
from support.builders import asks, flavor, gpu, model, node, on, playground, runtime
from support.controlling import World
from support.placing import assert_no_double_booking, sentence


def test_a_replica_takes_the_first_flavor_that_fits() -> None:
    world = World().add(
        model("qwen", on(flavor("a10"), pool="a10"), on(flavor("a100"), pool="a100")),
        runtime(),
        playground("chat", "qwen"),
        node("n1", 1),
        node("n2", 1),
    )
    world.kube_nodes["n1"] = KubeNode(name="n1", labels={"pool": "a100"})
    world.kube_nodes["n2"] = KubeNode(name="n2", labels={"pool": "a10"})
    world.settle()
    assert world.engines() == {"default/chat-0": ("n2", ("n2-0",))}
    assert world.playground("chat").status.flavor == "a10"


def test_replicas_that_find_the_first_flavor_full_get_the_next() -> None:
    world = World().add(
        model("qwen", on(flavor("a10"), pool="a10"), on(flavor("a100", 2), pool="a100")),
        runtime(),
        playground("chat", "qwen", 2),
        node("n1", 1),
        node("n2", 2),
    )
    world.kube_nodes["n1"] = KubeNode(name="n1", labels={"pool": "a10"})
    world.kube_nodes["n2"] = KubeNode(name="n2", labels={"pool": "a100"})
    world.settle()
    assert world.engines() == {
        "default/chat-0": ("n1", ("n1-0",)),
        "default/chat-1": ("n2", ("n2-0", "n2-1")),
    }
    assert world.playground("chat").status.flavor == "a10,a100"


def test_the_claims_order_of_flavors_wins_over_the_models() -> None:
    world = World().add(
        model("qwen", flavor("one"), flavor("two", 2)),
        runtime(),
        playground("chat", "qwen", flavors=("two", "one")),
        node("n1", 2),
    )
    world.settle()
    assert world.engines() == {"default/chat-0": ("n1", ("n1-0", "n1-1"))}


def test_a_refusal_says_for_each_flavor_what_was_short() -> None:
    world = World().add(
        model("qwen", flavor("a10"), on(flavor("h100", 8), pool="h100"), flavor("tp", 1, PP="2")),
        runtime(),
        playground("chat", "qwen"),
        node("n1"),
    )
    world.settle()
    assert sentence(world) == (
        "a10: 0 of 1 nodes fit: n1 has 0 of 1 nvidia.com/gpu; "
        "h100: 0 of 1 nodes fit: none is labelled pool=h100; "
        "tp: PP 2 takes a group of 2 nodes, and a replica runs on one: there are no "
        "multiHostCommands and no leaderTemplate"
    )


def test_a_refusal_says_when_there_are_no_nodes() -> None:
    world = World().add(model("qwen"), runtime(), playground("chat", "qwen"))
    world.settle()
    assert sentence(world) == "any node: there are no nodes"


def test_requests_of_cpu_and_memory_must_fit_beside_those_of_other_engines() -> None:
    config = RecommendedConfig(name="default", args=("{{ .Port }}",), resources=asks("3", "4Gi"))
    world = World().add(
        model("qwen"),
        runtime(recommended_configs=(config,)),
        playground("chat", "qwen", 2),
        node("n1", cpu="4", memory="64Gi"),
    )
    world.settle()
    assert list(world.engines()) == ["default/chat-0"]
    assert "n1 has 1 cpu free, short of 3" in sentence(world)


def test_of_the_engines_on_a_fixed_port_a_node_takes_one() -> None:
    world = World().add(
        model("qwen"),
        runtime("vllm", "--port", "8080"),
        playground("chat", "qwen", 2),
        node("n1"),
    )
    world.settle()
    assert list(world.engines()) == ["default/chat-0"]
    assert "n1 has an engine on port 8080" in sentence(world)


def test_a_sentence_says_why_accelerators_that_are_there_are_not_to_be_had() -> None:
    sick = dataclasses.replace(gpu("sick", healthy=False), message="it fell off the bus")
    world = World().add(
        model("qwen", flavor("a10")), runtime(), playground("chat", "qwen"), node("n1", [sick])
    )
    world.settle()
    assert "n1 has 0 of 1 nvidia.com/gpu (1 not well: it fell off the bus)" in sentence(world)


def test_a_replica_goes_where_the_weights_are() -> None:
    world = World().add(
        model("qwen", flavor("a10")),
        model("other", flavor("a10")),
        runtime(),
        playground("first", "qwen", flavors=()),
        node("n1"),
        node("n2", 4),
    )
    world.settle()
    world.add(node("n1", 1), playground("second", "qwen"))
    world.settle()
    assert world.engines()["default/second-0"][0] == "n2"


@given(
    gpus=st.lists(st.integers(0, 4), min_size=1, max_size=4),
    wishes=st.lists(
        st.tuples(st.integers(0, 3), st.lists(st.integers(0, 3), min_size=1, max_size=3)),
        min_size=1,
        max_size=4,
    ),
    later=st.lists(st.integers(0, 3), min_size=4, max_size=4),
)
def test_no_accelerator_is_given_twice_and_what_runs_stays(
    gpus: list[int], wishes: list[tuple[int, list[int]]], later: list[int]
) -> None:
    world = World().add(runtime(), *(node(f"n{i}", count) for i, count in enumerate(gpus)))
    for i, (replicas, counts) in enumerate(wishes):
        flavors = [flavor(f"f{j}", count) for j, count in enumerate(counts)]
        world.add(model(f"m{i}", *flavors), playground(f"p{i}", f"m{i}", replicas))
    world.settle()
    assert_no_double_booking(world)
    before = world.engines()
    for i, _ in enumerate(wishes):
        world.edit(f"p{i}", later[i])
    world.settle()
    assert_no_double_booking(world)
    after = world.engines()
    assert {id_: before[id_] for id_ in after if id_ in before} == {
        id_: after[id_] for id_ in after if id_ in before
    }
    assert world.plan() == ()
