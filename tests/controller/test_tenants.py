"""Namespaces that share a cluster: quotas, borrowing, claiming back, and shares of the rest."""

import dataclasses

from hypothesis import given, settings
from hypothesis import strategies as st

from llmaz.api.tenant import Tenant
from llmaz.controller.snapshot import KubeNode, Taint
from llmaz.controller.tenants import Usage, tree_of
from support.builders import GPU, flavor, model, node, on, runtime
from support.controlling import World
from support.placing import assert_no_double_booking, classes, placed_as, tenant


def shared(gpus: int, *tenants: Tenant) -> World:
    """One node with so many accelerators, and models that take one or two of them."""
    world = World().add(
        model("qwen", flavor("a10")),
        model("wide", flavor("two", 2)),
        runtime(),
        node("n1", gpus),
    )
    world.tenants |= {one.metadata.name: one for one in tenants}
    return world


def running(world: World) -> dict[str, int]:
    """How many accelerators each namespace has."""
    found: dict[str, int] = {}
    for id_, (_, uuids) in world.engines().items():
        namespace = id_.partition("/")[0]
        found[namespace] = found.get(namespace, 0) + len(uuids)
    return found


def uses(world: World, namespace: str) -> dict[str, int]:
    """How many accelerators each replica has; of one on its way those of the larger place."""
    found: dict[str, int] = {}
    for one in world.nodes.values():
        for engine in one.spec.engines:
            if engine.namespace == namespace:
                found[engine.id] = max(len(engine.accelerators), found.get(engine.id, 0))
    return found


def use(world: World, name: str) -> tuple[str, int, str]:
    status = world.tenants[name].status
    return status.use, status.waiting, status.message


def test_a_tenant_borrows_what_others_leave_idle() -> None:
    world = shared(4, tenant("a", "red", quota=2), tenant("b", "blue", quota=2))
    world.add(placed_as("chat", "qwen", 4, "red"))
    world.settle()
    assert running(world) == {"red": 4}
    assert use(world, "a") == ("4/2 nvidia.com/gpu", 0, "")
    assert {str(one) for one in world.tenants["a"].status.borrowed.values()} == {"2"}


def test_what_was_borrowed_is_claimed_back_up_to_the_quota_and_no_further() -> None:
    world = shared(4, tenant("a", "red", quota=2), tenant("b", "blue", quota=2))
    world.add(placed_as("chat", "qwen", 4, "red"))
    world.settle()
    world.add(placed_as("chat", "qwen", 4, "blue"))
    world.settle()
    assert running(world) == {"red": 2, "blue": 2}
    assert {event.reason for event in world.events if event.type == "Warning"} >= {"Reclaimed"}
    assert use(world, "b") == ("2/2 nvidia.com/gpu", 2, "")


def test_a_limit_is_never_passed_whatever_is_idle() -> None:
    world = shared(4, tenant("a", "red", quota=1, limit=2))
    world.add(placed_as("chat", "qwen", 4, "red"))
    world.settle()
    assert running(world) == {"red": 2}
    message = world.playgrounds[("red", "chat")].status.message
    assert "a10: tenant a uses 2 of at most 2 nvidia.com/gpu" in message


def test_at_its_limit_a_tenants_less_important_replicas_end_before_others_begin() -> None:
    world = classes(shared(2, tenant("a", "red", limit=1)), high=10)
    world.add(placed_as("low", "qwen", 1, "red"))
    world.settle()
    world.add(model("other", flavor("a10")), node("n2", 1))
    world.add(placed_as("chat", "other", 1, "red", priority_class_name="high"))
    for _ in range(12):
        for action in world.plan():
            world.perform(action)
            assert running(world).get("red", 0) <= 1
        world.tick()
    assert list(world.engines()) == ["red/chat-0"]


def test_what_a_replica_has_that_has_to_go_is_nobody_elses_to_use() -> None:
    world = shared(1, tenant("a", "red", limit=2))
    world.add(placed_as("late", "qwen", 1, "red"))
    world.settle()
    world.kube_nodes["n1"] = KubeNode(name="n1", annotations={"llmaz.io/drain": "true"})
    world.add(node("n2", 2), placed_as("early", "wide", 1, "red"))
    world.settle()
    assert {id_: where for id_, (where, _) in world.engines().items()} == {"red/late-0": "n2"}


def test_what_a_replica_has_until_its_update_is_nobody_elses_to_use() -> None:
    world = shared(2, tenant("a", "red", limit=2))
    world.add(placed_as("chat", "wide", 1, "red"))
    world.settle()
    newer = model("wide", flavor("one"), uri="oss://bucket.oss.example/newer")
    world.add(newer, model("other", on(flavor("a10"), pool="b")), node("n2", 1))
    world.kube_nodes["n2"] = KubeNode(name="n2", labels={"pool": "b"})
    world.add(placed_as("early", "other", 1, "red"))
    for _ in range(12):
        world.decide()
        assert sum(uses(world, "red").values()) <= 2
        world.tick()
    assert uses(world, "red") == {"red/chat-0": 1, "red/early-0": 1}


def test_a_replica_without_a_place_ends_none_that_is_driven_away_and_has_none_either() -> None:
    world = shared(1, tenant("a", "blue", quota=1))
    world.add(placed_as("chat", "qwen", 1, "red"))
    world.settle()
    world.add(node("n2", 1), placed_as("chat", "qwen", 2, "red"))
    world.settle()
    assert world.engines()["red/chat-1"] == ("n2", ("n2-0",))
    status = dataclasses.replace(world.nodes["n1"].status, accelerators=())
    world.add(dataclasses.replace(world.nodes["n1"], status=status))
    taint = Taint(key="out", effect="NoExecute")
    world.kube_nodes["n2"] = KubeNode(name="n2", taints=(taint,))
    world.settle()
    assert world.engines() == {"red/chat-1": ("n2", ("n2-0",))}


def test_what_lingers_where_no_flavor_allows_it_counts_once() -> None:
    world = shared(2, tenant("a", "red", limit=3))
    world.add(placed_as("late", "wide", 1, "red"))
    world.settle()
    world.add(model("wide", flavor("four", 4)), node("n2", 1), placed_as("early", "qwen", 1, "red"))
    world.settle()
    assert uses(world, "red") == {"red/early-0": 1, "red/late-0": 2}


def test_what_is_idle_is_shared_by_weight_whoever_came_first() -> None:
    world = shared(6, tenant("a", "red", weight=2), tenant("b", "blue", weight=1))
    world.add(placed_as("chat", "qwen", 6, "blue"))
    world.settle()
    assert running(world) == {"blue": 6}
    world.add(placed_as("chat", "qwen", 6, "red"))
    world.settle()
    assert running(world) == {"red": 4, "blue": 2}
    assert "Shared" in {event.reason for event in world.events}


def test_a_newcomer_is_not_starved_by_those_who_wait_longer() -> None:
    world = shared(4, tenant("a", "red"), tenant("b", "blue"))
    world.add(placed_as("chat", "qwen", 4, "red"), placed_as("chat", "qwen", 4, "blue"))
    world.settle()
    assert running(world) == {"red": 2, "blue": 2}


def test_a_part_claims_from_its_siblings_before_its_parent_claims_from_others() -> None:
    world = shared(
        6,
        tenant("company", quota=4),
        tenant("a", "red", quota=2, parent="company"),
        tenant("b", "blue", quota=2, parent="company"),
        tenant("c", "green", quota=2),
    )
    world.add(placed_as("chat", "qwen", 4, "red"), placed_as("chat", "qwen", 2, "green"))
    world.settle()
    assert running(world) == {"red": 4, "green": 2}
    world.add(placed_as("chat", "qwen", 2, "blue"))
    world.settle()
    assert running(world) == {"red": 2, "blue": 2, "green": 2}
    assert use(world, "company") == ("4/4 nvidia.com/gpu", 2, "")


def test_a_high_priority_takes_nothing_from_another_tenants_quota() -> None:
    world = shared(2, tenant("a", "red", quota=1), tenant("b", "blue", quota=1))
    world.add(placed_as("chat", "qwen", 1, "red"), placed_as("chat", "qwen", 1, "blue"))
    world.settle()
    classes(world, high=1000).add(placed_as("vip", "qwen", 1, "red", priority_class_name="high"))
    world.settle()
    assert sorted(world.engines()) == ["blue/chat-0", "red/vip-0"]


def test_namespaces_of_no_tenant_borrow_and_own_nothing() -> None:
    world = shared(2, tenant("a", "red", quota=2))
    world.add(placed_as("chat", "qwen", 2, "grey"))
    world.settle()
    assert running(world) == {"grey": 2}
    world.add(placed_as("chat", "qwen", 1, "red"))
    world.settle()
    assert running(world) == {"grey": 1, "red": 1}


def test_mistakes_are_told_and_leave_the_tenant_by_itself() -> None:
    world = shared(
        1,
        tenant("a", "red", parent="b"),
        tenant("b", "red", parent="a"),
        tenant("c", parent="gone"),
    )
    world.settle()
    assert use(world, "a")[2] == "tenant b, its parent, is a part of it"
    assert use(world, "b")[2] == "namespace red belongs to tenant a"
    assert use(world, "c")[2] == "there is no tenant gone, its parent"


def test_without_tenants_nothing_is_counted() -> None:
    usage = Usage(tree_of({}), {GPU: 4})
    usage.add(("",), {GPU: 3})
    assert usage.used("", GPU) == 0
    assert usage.above_limit(("",), {GPU: 99}) is None


@settings(max_examples=40)
@given(
    gpus=st.integers(1, 6),
    quotas=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    limits=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    weights=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    wishes=st.lists(
        st.tuples(st.booleans(), st.integers(0, 4), st.booleans(), st.sampled_from(["", "high"])),
        min_size=1,
        max_size=5,
    ),
)
def test_whatever_is_asked_for_it_ends_within_every_limit_and_quotas_are_kept(
    gpus: int,
    quotas: tuple[int, int],
    limits: tuple[int, int],
    weights: tuple[int, int],
    wishes: list[tuple[bool, int, bool, str]],
) -> None:
    world = shared(
        gpus,
        *(
            tenant(name, namespace, quota=quota, limit=max(limit, quota), weight=weight)
            for name, namespace, quota, limit, weight in zip(
                "ab", ("red", "blue"), quotas, limits, weights, strict=True
            )
        ),
    )
    classes(world, high=1000)
    for number, (is_red, replicas, is_wide, priority) in enumerate(wishes):
        served, namespace = "wide" if is_wide else "qwen", "red" if is_red else "blue"
        world.add(
            placed_as(f"p{number}", served, replicas, namespace, priority_class_name=priority)
        )
        world.settle()  # raises where it goes on for ever
        assert_no_double_booking(world)
        have = running(world)
        assert have.get("red", 0) <= max(limits[0], quotas[0])
        assert have.get("blue", 0) <= max(limits[1], quotas[1])
    if sum(quotas) <= gpus:
        for namespace, quota in zip(("red", "blue"), quotas, strict=True):
            asked = sum(r for red, r, wide, _ in wishes if red == (namespace == "red") and not wide)
            assert running(world).get(namespace, 0) >= min(asked, quota)
