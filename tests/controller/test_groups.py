import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmaz.api.backendruntime import BackendRuntime, MultiHostCommands
from llmaz.api.kinds import ENDPOINT_SLICE
from llmaz.api.manifest import decode
from llmaz.api.node import AssignedEngine, EnginePhase
from llmaz.controller.actions import Assign
from llmaz.controller.groups import groups_of, is_serving
from llmaz.controller.nodes import LOST_AFTER
from llmaz.controller.ranks import leader_id
from llmaz.controller.snapshot import KubeNode
from support.builders import flavor, model, node, on, playground
from support.controlling import World, told
from support.groups import (
    fail,
    group_runtime,
    group_world,
    in_rack,
    members,
    reachable,
    runs_later,
)
from support.manifests import PUBLISHED, documents
from support.seated import seats_by_engine


def variables(engine: AssignedEngine) -> dict[str, str]:
    return {env.name: env.value for env in engine.env}


def sentence(world: World) -> str:
    condition = world.available("chat")
    assert condition is not None
    return condition.message


def test_a_replica_on_two_nodes_is_a_leader_and_a_worker_that_know_each_other() -> None:
    world = group_world()
    world.settle()
    assert world.engines() == {
        "default/chat-0": ("n1", ("n1-0",)),
        "default/chat-0.1": ("n2", ("n2-0",)),
    }
    leader, worker = members(world)["default/chat-0"], members(world)["default/chat-0.1"]
    assert (leader.rank, worker.rank, leader.epoch, worker.epoch) == (0, 1, 1, 1)
    assert (leader.command, worker.command) == (("lead",), ("work", "$(LWS_LEADER_ADDRESS)"))
    assert (worker.args, worker.readiness_probe) == ((), None)
    for rank, engine in enumerate((leader, worker)):
        told_ = variables(engine)
        assert told_["LWS_LEADER_ADDRESS"] == "10.0.0.1"
        assert told_["LWS_GROUP_SIZE"] == "2"
        assert told_["LWS_WORKER_INDEX"] == str(rank)
        assert told_["LLMAZ_NODE_ADDRESS"] == f"10.0.0.{rank + 1}"
    assert told(world.available("chat")) == ("True", "PlaygroundReady")


def test_only_leaders_have_endpoints() -> None:
    world = group_world(nodes=4, replicas=2)
    world.settle()
    slices = [ref.name for ref in world.manifests if ref.kind == ENDPOINT_SLICE]
    assert sorted(slices) == ["chat-lb-0", "chat-lb-1"]


def test_a_group_that_finds_too_few_nodes_gets_none_and_says_how_many_fit() -> None:
    world = group_world(nodes=1)
    world.add(reachable(2, gpus=0))
    world.settle()
    assert world.engines() == {}
    assert sentence(world) == (
        "pair: a group takes 2 nodes, and 1 of 2 fit: n2 has 0 of 1 nvidia.com/gpu"
    )


def test_a_node_without_an_address_is_no_place_for_a_member() -> None:
    world = group_world(nodes=1).add(node("n9", 1))
    world.settle()
    assert "n9 has not reported its address" in sentence(world)


def test_members_are_in_one_rack_where_one_has_room() -> None:
    world = group_world(nodes=4)
    in_rack(world, "a", "n1", "n3")
    in_rack(world, "b", "n2")
    world.settle()
    assert {name for name, _ in world.engines().values()} == {"n1", "n3"}


def test_a_flavor_without_room_for_a_group_falls_to_one_on_a_single_node() -> None:
    world = group_world(nodes=1)
    world.models["qwen"] = model(
        "qwen", flavor("pair", 1, TP="1", PP="2"), flavor("large", 2, TP="2", PP="1")
    )
    world.add(reachable(2, gpus=2))
    world.lose("n1")
    world.settle()
    assert world.engines() == {"default/chat-0": ("n2", ("n2-0", "n2-1"))}
    told_ = variables(members(world)["default/chat-0"])
    assert (told_["LWS_GROUP_SIZE"], told_["LWS_WORKER_INDEX"]) == ("1", "0")


def test_when_a_member_ends_all_start_anew_in_place_with_the_next_epoch() -> None:
    world = group_world()
    world.settle()
    before = world.engines()
    for member, epoch in (("default/chat-0.1", 2), ("default/chat-0", 3)):
        fail(world, member)
        world.decide()
        assert {engine.epoch for engine in members(world).values()} == {epoch}
        assert world.engines() == before
        world.settle()
        assert told(world.available("chat"))[0] == "True"
        assert {engine.epoch for engine in members(world).values()} == {epoch}


def test_a_group_that_starts_anew_meets_at_another_port_and_all_members_know_it() -> None:
    """Another group that is led from this node may have the first."""
    world = group_world()
    world.settle()
    met = []
    for _ in range(3):
        (port,) = {variables(engine)["LLMAZ_GROUP_PORT"] for engine in members(world).values()}
        met.append(int(port))
        fail(world, "default/chat-0.1")
        world.settle()
    assert len(set(met)) == 3
    assert all(22000 <= port < 30000 for port in met)


def test_an_epoch_that_reached_only_some_of_the_members_is_told_to_the_others() -> None:
    world = group_world()
    world.settle()
    fail(world, "default/chat-0.1")
    [first] = [one for one in world.plan() if isinstance(one, Assign) and one.node == "n1"]
    world.perform(first)
    world.settle()
    assert {engine.epoch for engine in members(world).values()} == {2}


def half_assigned(world: World, *lost: str) -> None:
    """Let the writes of the first round come to these nodes too late, and be refused."""
    for action in world.plan():
        if not isinstance(action, Assign) or action.node not in lost:
            world.perform(action)


@pytest.mark.parametrize("lost", [("n1",), ("n2",), ("n1", "n3")])
def test_a_group_that_was_assigned_by_half_begins_once(lost: tuple[str, ...]) -> None:
    world = group_world(nodes=3, hosts=3)
    world.decide()
    whole = members(world)
    assert len(whole) == 3
    world = group_world(nodes=3, hosts=3)
    while not members(world):
        half_assigned(world, *lost)
    assert len(members(world)) == 3 - len(lost)
    world.decide()
    assert members(world) == whole


@pytest.mark.parametrize("says", [EnginePhase.WAITING, EnginePhase.STARTING, EnginePhase.BACKOFF])
def test_a_half_assigned_group_begins_anew_once_an_agent_knows_of_it(says: EnginePhase) -> None:
    world = group_world()
    while not members(world):
        half_assigned(world, "n2")
    world.tick()
    fail(world, "default/chat-0", says)
    world.decide()
    assert {engine.epoch for engine in members(world).values()} == {2}


def test_a_half_assigned_group_that_finds_its_other_node_gone_begins_anew_if_that_changes_it() -> (
    None
):
    world = group_world(nodes=3)
    while not members(world):
        half_assigned(world, "n1")
    assert list(members(world)) == ["default/chat-0.1"]
    del world.nodes["n1"]
    world.decide()
    assert sorted(node for node, _ in world.engines().values()) == ["n2", "n3"]
    assert {engine.epoch for engine in members(world).values()} == {2}


def test_a_half_assigned_group_whose_worker_finds_another_node_keeps_its_leader() -> None:
    world = group_world(nodes=3)
    while not members(world):
        half_assigned(world, "n2")
    leader = members(world)["default/chat-0"]
    del world.nodes["n2"]
    world.decide()
    assert sorted(node for node, _ in world.engines().values()) == ["n1", "n3"]
    assert members(world)["default/chat-0"] == leader


def test_a_member_that_failed_for_good_is_named_and_ends_no_group_again_and_again() -> None:
    world = group_world()
    world.settle()
    fail(world, "default/chat-0.1", EnginePhase.FAILED)
    world.decide()
    assert {engine.epoch for engine in members(world).values()} == {1}
    assert sentence(world).endswith("EngineFailed: on n2: OutOfHostMemory: it died")


def test_a_group_with_a_member_on_a_lost_node_goes_elsewhere_whole() -> None:
    world = group_world(nodes=3)
    world.settle()
    world.lose("n2")
    world.now += LOST_AFTER
    world.lost["n2"] = world.now - LOST_AFTER
    world.settle()
    assert {name for name, _ in world.engines().values()} == {"n1", "n3"}
    assert {engine.epoch for engine in members(world).values()} == {2}


def test_replicas_are_scaled_by_groups() -> None:
    world = group_world(nodes=4, replicas=2)
    world.settle()
    world.edit("chat", 1)
    world.settle()
    assert sorted(world.engines()) == ["default/chat-0", "default/chat-0.1"]


def test_groups_are_replaced_one_at_a_time() -> None:
    world = group_world(nodes=4, replicas=2)
    world.settle()
    world.add(group_runtime(MultiHostCommands(leader=("lead", "2"), worker=("work", "2"))))
    world.decide()
    changed = sorted(id_ for id_, one in members(world).items() if one.command[-1] == "2")
    assert changed == ["default/chat-0"]  # its worker follows when the leader has ended
    world.settle()
    assert all(engine.command[-1] == "2" for engine in members(world).values())


def test_a_scripts_last_command_gets_the_arguments_quoted() -> None:
    world = group_world()
    world.add(group_runtime(MultiHostCommands(leader=("sh", "-c", "join\nserve\n"))))
    world.settle()
    for engine in members(world).values():
        script = "join\nserve --model '$(LLMAZ_MODEL_PATH)' --port '$(LLMAZ_PORT)'"
        assert (engine.command, engine.args) == (("sh", "-c", script), ())


def test_the_first_releases_runtime_for_ray_runs_as_it_was_published() -> None:
    path = PUBLISHED / "seeds" / "seed000-backendruntime-vllm-v0.1.0.yaml"
    world = group_world()
    world.add(decode(BackendRuntime, next(documents(path))))
    world.settle()
    leader, worker = members(world)["default/chat-0"], members(world)["default/chat-0.1"]
    *_, script = leader.command
    assert script.startswith("ray start --head")
    assert script.endswith(
        "--tensor-parallel-size '$(LLMAZ_TP)' --pipeline-parallel-size '$(LLMAZ_PP)'"
    )
    assert "ray start --address=$(LWS_LEADER_ADDRESS):6379 --block" in worker.command[-1]


def test_ids_of_workers_are_never_those_of_another_services_replica() -> None:
    world = group_world()
    world.models["one"] = model("one", on(flavor("any", 0)))
    world.add(playground("chat-0", "one", 2))
    world.settle()
    assert set(members(world)) == {
        *("default/chat-0", "default/chat-0.1"),
        *("default/chat-0-0", "default/chat-0-1"),
    }


@given(
    gpus=st.lists(st.integers(0, 3), min_size=1, max_size=6),
    hosts=st.integers(2, 4),
    replicas=st.integers(0, 3),
    faults=st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=4),
)
def test_no_group_is_split(
    gpus: list[int], hosts: int, replicas: int, faults: list[tuple[int, bool]]
) -> None:
    world = group_world(nodes=0, replicas=replicas, hosts=hosts)
    world.add(*(reachable(number, count) for number, count in enumerate(gpus, 1)))
    world.settle()
    assert_whole(world, hosts)
    for number, is_lost in faults:
        ids = sorted(world.engines())
        if is_lost:
            name = f"n{number % len(gpus) + 1}"
            world.lost[name] = world.now
            world.now += LOST_AFTER
        elif ids:
            fail(world, ids[number % len(ids)])
        world.decide()
        assert_whole(world, hosts)
    world.lost.clear()
    world.settle()
    assert_whole(world, hosts)
    room = sum(1 for count in gpus if count)
    assert bool(world.engines()) == (room >= hosts and replicas > 0)


def assert_whole(world: World, hosts: int) -> None:
    """Each replica has all of its members, each on its own node, in one epoch."""
    found: dict[str, list[str]] = {}
    for id_, (name, _) in world.engines().items():
        found.setdefault(leader_id(id_), []).append(name)
    for leader, nodes in found.items():
        assert len(nodes) == len(set(nodes)) == hosts
        epochs = {one.epoch for id_, one in members(world).items() if leader_id(id_) == leader}
        assert len(epochs) == 1
    uuids = [uuid for _, own in world.engines().values() for uuid in own]
    assert len(uuids) == len(set(uuids))


def test_a_group_that_counts_anew_goes_past_the_epoch_that_a_member_still_runs() -> None:
    world = group_world()
    world.settle()
    runs_later(world, "default/chat-0.1", epoch=3)
    world.decide()
    assert {engine.epoch for engine in members(world).values()} == {4}
    world.settle()
    assert {engine.epoch for engine in members(world).values()} == {4}
    assert told(world.available("chat")) == ("True", "PlaygroundReady")


def test_no_group_spans_zones_and_that_is_told() -> None:
    world = group_world(nodes=2)
    for name, zone in (("n1", "a"), ("n2", "b")):
        labels = {"topology.kubernetes.io/zone": zone}
        world.kube_nodes[name] = KubeNode(name=name, labels=labels)
    world.settle()
    assert world.engines() == {}
    assert sentence(world) == "pair: a group takes 2 nodes, and 2 of 2 fit, but not in one zone"


def test_racks_of_one_name_in_two_zones_are_two_racks() -> None:
    world = group_world(nodes=4)
    for name, zone in (("n1", "a"), ("n2", "b"), ("n3", "c"), ("n4", "c")):
        rack = "r1" if zone != "c" else name
        labels = {"topology.kubernetes.io/zone": zone, "topology.kubernetes.io/rack": rack}
        world.kube_nodes[name] = KubeNode(name=name, labels=labels)
    world.settle()
    assert {name for name, _ in world.engines().values()} == {"n3", "n4"}


def test_members_are_in_one_nvlink_domain_where_one_has_room() -> None:
    world = group_world(nodes=4)
    for name, clique in (("n1", "x.1"), ("n3", "x.2"), ("n4", "x.2")):
        world.kube_nodes[name] = KubeNode(name=name, labels={"nvidia.com/gpu.clique": clique})
    world.settle()
    assert {name for name, _ in world.engines().values()} == {"n3", "n4"}


def test_what_is_left_of_a_group_does_not_count_as_serving() -> None:
    world = group_world(nodes=3)
    world.settle()
    del world.nodes["n1"]
    (worker,) = groups_of(seats_by_engine(world.snapshot()))["default/chat-0"]
    assert worker.is_ready
    assert not is_serving([worker])
    world.settle()
    assert sorted(node for node, _ in world.engines().values()) == ["n2", "n3"]
    assert told(world.available("chat")) == ("True", "PlaygroundReady")
