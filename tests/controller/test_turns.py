import dataclasses

from support.builders import flavor, model, playground
from support.controlling import World
from support.groups import group_runtime, reachable


def sicken(world: World, name: str) -> None:
    """Let the agent of a node report that none of its accelerators is well."""
    node = world.nodes[name]
    devices = tuple(
        dataclasses.replace(device, healthy=False, message="fell off the bus")
        for device in node.status.accelerators or ()
    )
    status = dataclasses.replace(node.status, accelerators=devices)
    world.nodes[name] = dataclasses.replace(node, status=status)


def owned(world: World) -> list[str]:
    engines = (engine for node in world.nodes.values() for engine in node.spec.engines)
    return [uuid for engine in engines for uuid in engine.accelerators]


def test_nobody_gets_what_a_group_that_is_to_move_still_has() -> None:
    world = World().add(
        model("wide", flavor("pair", 1, TP="1", PP="2")),
        model("large", flavor("two", 2)),
        group_runtime(),
        playground("pair", "wide", 1),
        reachable(1, gpus=2),
        reachable(2),
    )
    world.settle()
    assert sorted(owned(world)) == ["n1-0", "n2-0"]
    sicken(world, "n2")
    world.add(reachable(3), reachable(4), playground("chat", "large", 1))
    for _ in range(10):
        world.decide()
        assert len(set(owned(world))) == len(owned(world))
        world.tick()
    assert sorted(owned(world)) == ["n1-0", "n1-1", "n3-0", "n4-0"]
