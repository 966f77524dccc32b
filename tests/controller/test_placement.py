import dataclasses
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from llmaz.api.backendruntime import RecommendedConfig
from llmaz.api.node import AssignedEngine, EnginePhase, EngineReport, NodeSpec, fingerprint
from llmaz.api.openmodel import OpenModel
from llmaz.controller.actions import Assign
from llmaz.controller.nodes import LOST_AFTER
from llmaz.controller.plan import plan
from llmaz.controller.snapshot import KubeNode, Taint
from support.controlling import GPU, World, asks, flavor, gpu, model, node, on, playground, runtime


def sentence(world: World, name: str = "chat") -> str:
    condition = world.available(name)
    assert condition is not None
    return condition.message


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
    assert sentence(world) == "any: there are no nodes"


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
    assert "n1 has 1 of 3 cpu" in sentence(world)


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


def test_an_unhealthy_accelerator_is_given_to_nobody() -> None:
    world = World().add(
        model("qwen", flavor("a10")),
        runtime(),
        playground("chat", "qwen"),
        node("n1", [gpu("sick", 0, healthy=False), gpu("well", 1)]),
    )
    world.settle()
    assert world.engines() == {"default/chat-0": ("n1", ("well",))}


def test_a_sentence_says_why_accelerators_that_are_there_are_not_to_be_had() -> None:
    sick = dataclasses.replace(gpu("sick", healthy=False), message="it fell off the bus")
    world = World().add(
        model("qwen", flavor("a10")), runtime(), playground("chat", "qwen"), node("n1", [sick])
    )
    world.settle()
    assert "n1 has 0 of 1 nvidia.com/gpu (1 not well: it fell off the bus)" in sentence(world)


def test_an_engine_leaves_an_accelerator_that_falls_off_the_bus() -> None:
    world = World().add(
        model("qwen", flavor("a10")), runtime(), playground("chat", "qwen"), node("n1", 2)
    )
    world.settle()
    assert world.engines() == {"default/chat-0": ("n1", ("n1-0",))}
    lost = (gpu("n1-0", 0, healthy=False), gpu("n1-1", 1))
    status = dataclasses.replace(world.nodes["n1"].status, accelerators=lost)
    world.nodes["n1"] = dataclasses.replace(world.nodes["n1"], status=status)
    world.settle()
    assert world.engines() == {"default/chat-0": ("n1", ("n1-1",))}


def test_a_node_that_was_lost_gets_nothing_new_and_keeps_what_it_has() -> None:
    world = World().add(
        model("qwen", flavor("a10")), runtime(), playground("chat", "qwen"), node("n1", 2)
    )
    world.settle()
    world.lose("n1")
    world.edit("chat", 2)
    world.decide()
    assert list(world.engines()) == ["default/chat-0"]
    available = world.available("chat")
    assert available is not None
    assert available.reason == "PlaygroundNotReady"
    assert "n1 has no living agent" in available.message


def two_nodes() -> World:
    """One replica on n1, which has room for it as n2 does."""
    world = World().add(
        model("qwen", flavor("a10")),
        runtime(),
        playground("chat", "qwen"),
        node("n1", 1),
        node("n2", 1),
    )
    world.settle()
    assert world.engines() == {"default/chat-0": ("n1", ("n1-0",))}
    return world


def test_replicas_of_a_lost_node_go_elsewhere_after_a_grace_and_do_not_come_back() -> None:
    world = two_nodes()
    world.lose("n1")
    world.now += LOST_AFTER - timedelta(seconds=1)
    world.settle()
    assert world.engines() == {"default/chat-0": ("n1", ("n1-0",))}
    world.now += timedelta(seconds=1)
    world.settle()
    assert world.engines() == {"default/chat-0": ("n2", ("n2-0",))}
    assert world.nodes["n1"].spec.engines == ()
    world.lost.clear()
    world.settle()
    assert world.engines() == {"default/chat-0": ("n2", ("n2-0",))}


def test_replicas_of_a_lost_node_stay_where_there_is_no_room_elsewhere() -> None:
    world = two_nodes()
    del world.nodes["n2"]
    world.lose("n1")
    world.now += LOST_AFTER
    world.decide()
    assert world.engines() == {"default/chat-0": ("n1", ("n1-0",))}
    assert "has not been heard of" in sentence(world)


def test_a_silent_api_server_makes_no_node_a_lost_one() -> None:
    world = two_nodes()
    world.lose("n1")
    world.now += LOST_AFTER * 2
    for heard_since in (None, world.now - LOST_AFTER / 2):
        snapshot = dataclasses.replace(world.snapshot(), leases_heard_since=heard_since)
        assert [a for a in plan(snapshot, world.now).actions if isinstance(a, Assign)] == []


def test_an_engine_stays_on_a_sick_accelerator_while_there_is_no_other() -> None:
    world = two_nodes()
    del world.nodes["n2"]
    status = dataclasses.replace(
        world.nodes["n1"].status, accelerators=(gpu("n1-0", 0, healthy=False),)
    )
    world.nodes["n1"] = dataclasses.replace(world.nodes["n1"], status=status)
    world.settle()
    assert world.engines() == {"default/chat-0": ("n1", ("n1-0",))}


def test_a_taint_keeps_off_what_does_not_ask_for_the_resource_of_its_name() -> None:
    taints = (
        Taint(key=GPU, value="present", effect="NoSchedule"),
        Taint(key="team", value="other", effect="NoSchedule"),
    )
    world = World().add(
        model("qwen", flavor("a10")),
        model("small", flavor("cpu", 0)),
        runtime(),
        playground("chat", "qwen"),
        playground("tiny", "small"),
        node("n1", 1),
        node("n2", 1),
    )
    for name, count in (("n1", 1), ("n2", 2)):
        world.kube_nodes[name] = KubeNode(name=name, taints=taints[:count])
    world.settle()
    assert world.engines() == {"default/chat-0": ("n1", ("n1-0",))}
    assert sentence(world, "tiny") == (
        "cpu: 0 of 2 nodes fit: n1 is tainted nvidia.com/gpu=present:NoSchedule, "
        "n2 is tainted nvidia.com/gpu=present:NoSchedule"
    )


def test_engines_leave_a_node_with_a_taint_one_by_one_after_their_weights() -> None:
    world = World().add(
        model("qwen", flavor("a10")),
        runtime(),
        playground("chat", "qwen", 2),
        node("n1", 2),
        node("n2", 2),
    )
    world.settle()
    away = (Taint(key="maintenance", effect="NoExecute"),)
    world.kube_nodes["n1"] = dataclasses.replace(world.kube_nodes["n1"], taints=away)
    world.decide()
    assert [where for where, _ in world.engines().values()] == ["n1", "n1"]
    assert [held.name for held in world.nodes["n2"].spec.models] == ["qwen"]
    world.tick()
    world.decide()
    assert sorted(where for where, _ in world.engines().values()) == ["n1", "n2"]
    world.settle()
    assert [where for where, _ in world.engines().values()] == ["n2", "n2"]


def test_a_cordoned_node_gets_nothing_new_and_keeps_what_it_has() -> None:
    world = World().add(
        model("qwen", flavor("a10")), runtime(), playground("chat", "qwen"), node("n1", 2)
    )
    world.settle()
    world.kube_nodes["n1"] = dataclasses.replace(world.kube_nodes["n1"], unschedulable=True)
    world.edit("chat", 2)
    world.settle()
    assert list(world.engines()) == ["default/chat-0"]
    assert "n1 is cordoned" in sentence(world)


def test_scaling_down_removes_the_highest_replicas() -> None:
    world = World().add(
        model("qwen", flavor("a10")), runtime(), playground("chat", "qwen", 3), node("n1", 3)
    )
    world.settle()
    before = world.engines()
    world.edit("chat", 1)
    world.settle()
    assert world.engines() == {"default/chat-0": before["default/chat-0"]}


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


def test_an_engine_that_stands_on_two_nodes_stays_where_it_is_ready() -> None:
    world = World().add(
        model("qwen", flavor("a10")),
        runtime(),
        playground("chat", "qwen"),
        node("n1", 1),
        node("n2", 1),
    )
    world.settle()
    (engine,) = world.nodes["n1"].spec.engines
    twin = dataclasses.replace(engine, accelerators=("n2-0",))
    _run(world, "n2", twin)
    world.nodes["n1"] = dataclasses.replace(
        world.nodes["n1"], status=dataclasses.replace(world.nodes["n1"].status, engines=())
    )
    world.settle()
    assert world.engines() == {"default/chat-0": ("n2", ("n2-0",))}


def _run(world: World, name: str, engine: AssignedEngine) -> None:
    report = EngineReport(id=engine.id, phase=EnginePhase.READY, fingerprint=fingerprint(engine))
    one = world.nodes[name]
    world.nodes[name] = dataclasses.replace(
        one,
        spec=NodeSpec(engines=(engine,)),
        status=dataclasses.replace(one.status, engines=(report,)),
    )


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


def assert_no_double_booking(world: World) -> None:
    owned = [uuid for _, uuids in world.engines().values() for uuid in uuids]
    assert len(owned) == len(set(owned))
    for name, uuids in world.engines().values():
        assert all(uuid.startswith(f"{name}-") for uuid in uuids)


def test_a_replica_goes_where_each_accelerator_has_the_memory_that_the_model_asks_for() -> None:
    small = dataclasses.replace(gpu("n1-0"), memory_bytes=24 * 2**30)
    large = dataclasses.replace(gpu("n2-0"), memory_bytes=80 * 2**30)
    world = World().add(
        needing(model("qwen", flavor("any")), "40Gi"),
        runtime(),
        playground("chat", "qwen", 2),
        node("n1", [small]),
        node("n2", [large]),
    )
    world.settle()
    assert world.engines() == {"default/chat-0": ("n2", ("n2-0",))}
    assert sentence(world).endswith(
        "any: 0 of 2 nodes fit: n1 has 0 of 1 nvidia.com/gpu with 40.0 GiB memory, "
        "n2 has 0 of 1 nvidia.com/gpu"
    )


def test_the_memory_of_a_model_is_shared_by_the_accelerators_of_a_replica() -> None:
    world = World().add(
        needing(model("qwen", flavor("one"), flavor("two", 2)), "40Gi"),
        runtime(),
        playground("chat", "qwen"),
        node("n1", 2),
    )
    world.settle()
    assert world.engines() == {"default/chat-0": ("n1", ("n1-0", "n1-1"))}


def test_a_device_that_does_not_tell_its_memory_is_not_kept_from_any_model() -> None:
    silent = dataclasses.replace(gpu("n1-0"), memory_bytes=None)
    world = World().add(
        needing(model("qwen", flavor("any")), "40Gi"),
        runtime(),
        playground("chat", "qwen"),
        node("n1", [silent]),
    )
    world.settle()
    assert world.engines() == {"default/chat-0": ("n1", ("n1-0",))}


def test_a_memory_that_is_no_quantity_is_refused_with_its_place() -> None:
    world = World().add(
        needing(model("qwen", flavor("any")), "much"),
        runtime(),
        playground("chat", "qwen"),
        node("n1", 1),
    )
    world.settle()
    assert "OpenModel qwen: metadata.annotations.llmaz.io/accelerator-memory" in sentence(world)


def needing(model_: OpenModel, memory: str) -> OpenModel:
    annotations = {"llmaz.io/accelerator-memory": memory}
    meta = dataclasses.replace(model_.metadata, annotations=annotations)
    return dataclasses.replace(model_, metadata=meta)
