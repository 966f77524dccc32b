"""Packing and spreading, over nodes and zones."""

import dataclasses

from hypothesis import given, settings
from hypothesis import strategies as st

from llmaz.controller.snapshot import KubeNode
from support.builders import flavor, model, node, runtime
from support.controlling import World
from support.placing import assert_no_double_booking, placed_as

ZONE = "topology.kubernetes.io/zone"


def zoned(zones: dict[str, str], gpus: int = 4) -> World:
    """Nodes in zones, each with so many accelerators."""
    world = World().add(model("qwen", flavor("a10")), runtime())
    for name, zone in zones.items():
        world.add(node(name, gpus))
        world.kube_nodes[name] = KubeNode(name=name, labels={ZONE: zone} if zone else {})
    return world


def counts(world: World) -> dict[str, int]:
    found = dict.fromkeys(world.nodes, 0)
    for where, _ in world.engines().values():
        found[where] += 1
    return found


def test_by_default_node_after_node_is_filled() -> None:
    world = zoned({"n1": "a", "n2": "b"}).add(placed_as("chat", "qwen", 3))
    world.settle()
    assert counts(world) == {"n1": 3, "n2": 0}


def test_spread_replicas_are_in_as_many_zones_and_on_as_many_nodes_as_there_are() -> None:
    world = zoned({"n1": "a", "n2": "a", "n3": "b"}).add(
        placed_as("chat", "qwen", 4, strategy="spread")
    )
    world.settle()
    assert counts(world) == {"n1": 1, "n2": 1, "n3": 2}


def test_a_zone_without_room_leaves_its_part_to_the_others() -> None:
    world = zoned({"n1": "a", "n2": "b", "n3": "b", "n4": "b"}, gpus=1)
    world.add(placed_as("chat", "qwen", 4, strategy="spread"))
    world.settle()
    assert set(counts(world).values()) == {1}


def test_those_that_come_later_go_where_the_fewest_are_and_nobody_moves() -> None:
    world = zoned({"n1": "a", "n2": "b"}).add(placed_as("chat", "qwen", 1, strategy="spread"))
    world.settle()
    first = world.engines()
    world.add(placed_as("chat", "qwen", 2, strategy="spread"))
    world.settle()
    assert first.items() <= world.engines().items()
    assert counts(world) == {"n1": 1, "n2": 1}


def test_engines_without_accelerators_are_spread_as_well() -> None:
    world = zoned({"n1": "a", "n2": "b"}).add(model("qwen", flavor("cpu", 0)))
    world.add(placed_as("chat", "qwen", 4, strategy="spread"))
    world.settle()
    assert counts(world) == {"n1": 2, "n2": 2}


@settings(max_examples=40)
@given(
    gpus=st.lists(st.integers(0, 3), min_size=1, max_size=5),
    replicas=st.integers(0, 8),
    in_zones=st.lists(st.sampled_from(["a", "b", ""]), min_size=5, max_size=5),
)
def test_spreading_places_as_many_as_packing_does(
    gpus: list[int], replicas: int, in_zones: list[str]
) -> None:
    placed = []
    for strategy in ("pack", "spread"):
        world = zoned({f"n{number}": in_zones[number] for number, _ in enumerate(gpus)})
        for number, count in enumerate(gpus):
            world.add(node(f"n{number}", count))
        world.add(placed_as("chat", "qwen", replicas, strategy=strategy))
        world.settle()
        assert_no_double_booking(world)
        placed.append(len(world.engines()))
        before = dataclasses.replace(world).engines()
        world.settle()
        assert world.engines() == before
    assert placed == [min(replicas, sum(gpus))] * 2
