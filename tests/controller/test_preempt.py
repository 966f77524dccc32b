"""Who makes way for whom by priority, when, and what is said of it."""

import dataclasses

from hypothesis import given, settings
from hypothesis import strategies as st

from llmaz.controller.snapshot import KubeNode, PriorityClass
from support.builders import flavor, model, node, on, runtime
from support.controlling import World, told
from support.groups import group_runtime, reachable
from support.placing import assert_no_double_booking, classes, placed_as, sentence


def world_with(*gpus: int) -> World:
    """Nodes n1, n2, ... with so many accelerators, and the classes low and high."""
    world = World().add(
        model("qwen", flavor("a10")),
        model("wide", flavor("two", 2)),
        runtime(),
        *(node(f"n{number}", count) for number, count in enumerate(gpus, 1)),
    )
    return classes(world, low=-10, high=1000)


def places(world: World) -> dict[str, str]:
    return {id_.removeprefix("default/"): where for id_, (where, _) in world.engines().items()}


def test_a_higher_priority_takes_the_place_of_a_lower_one() -> None:
    world = world_with(1).add(placed_as("batch", "qwen"))
    world.settle()
    world.add(placed_as("vip", "qwen", priority_class_name="high"))
    world.settle()
    assert places(world) == {"vip-0": "n1"}
    assert told(world.available("vip")) == ("True", "PlaygroundReady")
    assert sentence(world, "batch").endswith(
        "a10: 0 of 1 nodes fit: n1 has 0 of 1 nvidia.com/gpu; 1 replicas of higher priority have a "
        "place"
    )


def test_of_those_that_share_an_accelerator_one_makes_way() -> None:
    world = world_with(1).add(placed_as("batch", "qwen", 2))
    meta = dataclasses.replace(
        world.nodes["n1"].metadata, annotations={"llmaz.io/accelerator-replicas": "2"}
    )
    world.nodes["n1"] = dataclasses.replace(world.nodes["n1"], metadata=meta)
    world.settle()
    world.add(placed_as("vip", "qwen", priority_class_name="high"))
    world.settle()
    assert set(places(world)) == {"batch-0", "vip-0"}
    world.add(placed_as("large", "wide", priority_class_name="high"))
    world.settle()
    assert set(places(world)) == {"batch-0", "vip-0"}


def test_both_are_told_by_an_event_each_once() -> None:
    world = world_with(1).add(placed_as("batch", "qwen"))
    world.settle()
    world.add(placed_as("vip", "qwen", priority_class_name="high"))
    world.settle()
    told_ = [
        (event.ref.name, event.type, event.reason, event.message)
        for event in world.events
        if event.reason in ("Preempted", "Displacing")
    ]
    assert told_ == [
        (
            "batch",
            "Warning",
            "Preempted",
            "default/batch-0 on n1 makes way for default/vip-0, which has a higher priority",
        ),
        (
            "vip",
            "Normal",
            "Displacing",
            "default/vip-0 takes the place of default/batch-0 on n1",
        ),
    ]


def test_who_makes_way_serves_until_the_weights_of_the_other_are_there() -> None:
    world = world_with(1).add(placed_as("batch", "qwen"))
    world.settle()
    world.add(placed_as("vip", "wide", priority_class_name="high"), model("wide", flavor("one")))
    world.decide()
    assert places(world) == {"batch-0": "n1"}
    assert told(world.available("batch")) == ("True", "PlaygroundReady")
    assert "wide" in {held.name for held in world.nodes["n1"].spec.models}
    world.tick()
    world.decide()
    assert places(world) == {"vip-0": "n1"}


def test_nobody_makes_way_for_its_equal_or_for_one_that_never_displaces() -> None:
    world = world_with(1).add(placed_as("batch", "qwen", priority_class_name="high"))
    world.settle()
    world.priorities["polite"] = PriorityClass(name="polite", value=9999, displaces=False)
    world.add(
        placed_as("equal", "qwen", priority_class_name="high"),
        placed_as("polite", "qwen", priority_class_name="polite"),
    )
    world.settle()
    assert places(world) == {"batch-0": "n1"}


def test_where_there_is_room_nobody_makes_way() -> None:
    world = world_with(1, 1).add(placed_as("batch", "qwen"))
    world.settle()
    world.add(placed_as("vip", "qwen", priority_class_name="high"))
    world.settle()
    assert places(world) == {"batch-0": "n1", "vip-0": "n2"}


def test_no_more_make_way_than_are_needed_and_the_least_important_first() -> None:
    world = world_with(2, 2).add(
        placed_as("a", "qwen", 2), placed_as("b", "qwen", 2, priority_class_name="low")
    )
    world.settle()
    assert places(world) == {"a-0": "n1", "a-1": "n1", "b-0": "n2", "b-1": "n2"}
    world.add(placed_as("vip", "qwen", priority_class_name="high"))
    world.settle()
    assert places(world) == {"a-0": "n1", "a-1": "n1", "b-0": "n2", "vip-0": "n2"}
    world.add(placed_as("vip", "wide", priority_class_name="high"))
    world.settle()
    assert places(world) == {"a-0": "n1", "a-1": "n1", "vip-0": "n2"}


def test_of_those_who_wait_the_more_important_is_placed_first() -> None:
    world = world_with(1).add(
        placed_as("a", "qwen"), placed_as("z", "qwen", priority_class_name="high")
    )
    world.settle()
    assert places(world) == {"z-0": "n1"}


def test_a_flavor_that_has_room_comes_before_one_where_somebody_would_have_to_go() -> None:
    world = world_with(1, 1).add(
        model("qwen", on(flavor("best"), pool="a"), on(flavor("next"), pool="b")),
        placed_as("batch", "qwen"),
    )
    for name, pool in (("n1", "a"), ("n2", "b")):
        world.kube_nodes[name] = KubeNode(name=name, labels={"pool": pool})
    world.settle()
    world.add(placed_as("vip", "qwen", priority_class_name="high"))
    world.settle()
    assert places(world) == {"batch-0": "n1", "vip-0": "n2"}


def test_a_group_goes_whole_and_comes_whole() -> None:
    world = World().add(
        model("pair", flavor("pair", 1, TP="1", PP="2")),
        group_runtime(),
        placed_as("batch", "pair"),
        reachable(1),
        reachable(2),
    )
    world.settle()
    assert places(world) == {"batch-0": "n1", "batch-0.1": "n2"}
    classes(world, high=1).add(placed_as("vip", "pair", priority_class_name="high"))
    world.settle()
    assert places(world) == {"vip-0": "n1", "vip-0.1": "n2"}
    assert "a group takes 2 nodes, and 0 of 2 fit" in sentence(world, "batch")


def test_a_class_that_does_not_exist_is_named() -> None:
    world = world_with(1).add(placed_as("vip", "qwen", priority_class_name="gone"))
    world.settle()
    assert told(world.available("vip")) == ("False", "PriorityClassNotFound")
    assert sentence(world, "vip") == "PriorityClass gone does not exist"


def test_the_default_class_of_the_cluster_holds_for_what_names_none() -> None:
    world = world_with(1).add(placed_as("batch", "qwen", priority_class_name="low"))
    world.settle()
    world.priorities["usual"] = PriorityClass(name="usual", value=5, is_default=True)
    world.add(placed_as("chat", "qwen"))
    world.settle()
    assert places(world) == {"chat-0": "n1"}


@settings(max_examples=40)
@given(
    gpus=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    wishes=st.lists(
        st.tuples(st.integers(1, 3), st.sampled_from(["", "low", "high"]), st.booleans()),
        min_size=1,
        max_size=4,
    ),
)
def test_making_way_ends_and_leaves_nobody_more_important_without_what_a_lower_one_has(
    gpus: list[int], wishes: list[tuple[int, str, bool]]
) -> None:
    world = world_with(*gpus)
    for number, (replicas, name, is_wide) in enumerate(wishes):
        served = "wide" if is_wide else "qwen"
        world.add(placed_as(f"p{number}", served, replicas, priority_class_name=name))
        world.settle()  # raises where it goes on for ever
        assert_no_double_booking(world)
    value = {"": 0, "low": -10, "high": 1000}
    running = {id_.removeprefix("default/") for id_ in world.engines()}
    rank = {f"p{i}": value[name] for i, (_, name, _) in enumerate(wishes)}
    narrow = {f"p{i}" for i, (_, _, is_wide) in enumerate(wishes) if not is_wide}
    lowest = min((rank[id_.partition("-")[0]] for id_ in running), default=0)
    for number, (replicas, _, _) in enumerate(wishes):
        missing = [i for i in range(replicas) if f"p{number}-{i}" not in running]
        if missing and f"p{number}" in narrow:
            assert rank[f"p{number}"] <= lowest
    before = dataclasses.replace(world).engines()
    world.settle()
    assert world.engines() == before
