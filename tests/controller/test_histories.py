"""Random histories of a cluster: nodes come and are lost, Playgrounds change, agents are slow."""

import dataclasses

from hypothesis import given, settings
from hypothesis import strategies as st

from llmaz.controller.nodes import LOST_AFTER
from support.builders import flavor, model, node, playground, runtime
from support.controlling import World
from support.seated import seats_by_engine

NODES = ("n0", "n1", "n2")
PLAYGROUNDS = ("p0", "p1", "p2")

events = st.one_of(
    st.tuples(st.just("scale"), st.sampled_from(PLAYGROUNDS), st.integers(0, 4)),
    st.tuples(st.just("delete"), st.sampled_from(PLAYGROUNDS), st.just(0)),
    st.tuples(st.just("lose"), st.sampled_from(NODES), st.just(0)),
    st.tuples(st.just("find"), st.sampled_from(NODES), st.just(0)),
    st.tuples(st.just("remove"), st.sampled_from(NODES), st.just(0)),
    st.tuples(st.just("add"), st.sampled_from(NODES), st.integers(0, 4)),
    st.tuples(st.just("tick"), st.just(""), st.just(0)),
    st.tuples(st.just("wait"), st.just(""), st.just(0)),
)


def happen(world: World, event: tuple[str, str, int]) -> None:
    kind, name, count = event
    match kind:
        case "scale" if ("default", name) in world.playgrounds:
            world.edit(name, count)
        case "scale":
            world.add(playground(name, f"m-{name}", count))
        case "delete" if ("default", name) in world.services:
            world.delete_playground(name)
        case "lose":
            world.lose(name)
        case "find":
            world.lost.pop(name, None)
        case "remove":
            world.nodes.pop(name, None)
        case "add" if name not in world.nodes:
            world.add(node(name, count))
        case "tick":
            world.tick()
        case "wait":
            world.now += LOST_AFTER


def check(world: World) -> None:
    """What must hold at any moment, whatever was seen and done before."""
    owned = [
        uuid
        for one in world.nodes.values()
        for engine in one.spec.engines
        for uuid in engine.accelerators
    ]
    assert len(owned) == len(set(owned))
    ids = [engine.id for one in world.nodes.values() for engine in one.spec.engines]
    assert len(ids) == len(set(ids))
    for name, one in world.nodes.items():
        assert {uuid.split("-")[0] for e in one.spec.engines for uuid in e.accelerators} <= {name}
    for key, service in world.services.items():
        mine = [id_ for id_ in ids if id_.startswith(f"{key[0]}/{key[1]}-")]
        assert len(mine) <= service.spec.replicas


@settings(max_examples=60)
@given(history=st.lists(events, max_size=25))
def test_every_history_keeps_the_rules_and_settles(history: list[tuple[str, str, int]]) -> None:
    world = World().add(
        runtime(), *(model(f"m-{name}", flavor("a"), flavor("b", 2)) for name in PLAYGROUNDS)
    )
    for event in history:
        happen(world, event)
        seats = seats_by_engine(world.snapshot())
        before = {
            id_: seat
            for id_, seat in seats.items()
            if seat.is_ready and seat.node not in world.lost
        }
        actions = world.plan()
        assert actions == world.plan()
        world.decide()
        check(world)
        for id_, (where, accelerators) in world.engines().items():
            if id_ in before:
                seat = before[id_]
                assert (where, accelerators) == (seat.node, seat.engine.accelerators)
    world.settle()
    check(world)
    world.lost.clear()
    world.settle()
    assert world.plan() == ()


def test_a_ready_engine_of_a_living_playground_never_ends_by_a_lost_node() -> None:
    world = World().add(
        model("qwen", flavor("a")),
        runtime(),
        playground("chat", "qwen", 2),
        node("n1", 1),
        node("n2", 1),
    )
    world.settle()
    before = world.engines()
    world.lose(*world.nodes)
    world.decide()
    world.add(dataclasses.replace(world.runtimes["vllm"]))
    world.decide()
    assert world.engines() == before
