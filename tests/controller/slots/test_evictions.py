"""Evictions wait while another slot may take over, and no longer than drains may be held up."""

import dataclasses
from typing import Any, cast

from llmaz.api.backendruntime import MultiHostCommands
from llmaz.api.kinds import POD_DISRUPTION_BUDGET
from llmaz.api.manifest import Manifest
from llmaz.controller.news import news
from llmaz.controller.slots.budget import Budget, Requirement, read_budget
from llmaz.controller.slots.policy import SlotPolicy
from llmaz.controller.snapshot import Ref
from support.builders import flavor, model, node, playground, runtime
from support.controlling import World
from support.slotworld import CORDON, SlotWorld, followers, leave, ready, slot_world

OURS = Ref(kind=POD_DISRUPTION_BUDGET, namespace="default", name="chat-slots")
THEIRS = Ref(kind=POD_DISRUPTION_BUDGET, namespace="default", name="own")
LATE = SlotPolicy().drain_seconds


def least(world: SlotWorld) -> int:
    """How many pods have to stay."""
    spec = cast("dict[str, Any]", world.manifests[OURS]["spec"])
    return cast("int", spec["minAvailable"])


def allowed(world: SlotWorld) -> int:
    """How many pods may be evicted if all that are bound are ready."""
    return max(0, len([pod for pod in world.pods() if pod.node and pod.lives]) - least(world))


def stuck(replicas: int = 1) -> SlotWorld:
    """A cordoned node whose slots no other takes over."""
    world = ready(replicas)
    leave(world, CORDON)
    world.settle()
    for pod in followers(world):
        world.refuse(pod)
    world.settle()
    return world


def later(world: SlotWorld, seconds: float) -> None:
    world.pass_(seconds)
    world.settle()


def budget(**labels: str) -> Manifest:
    selector: Manifest = {"matchLabels": cast("Any", labels)}
    return {"metadata": {"name": "own", "namespace": "default"}, "spec": {"selector": selector}}


def test_no_slot_that_serves_is_evicted() -> None:
    world = ready(2)
    assert least(world) == 2
    spec = cast("dict[str, Any]", world.manifests[OURS]["spec"])
    assert spec["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    (found,) = world.snapshot().budgets.values()
    assert found.selects({"llmaz.io/service": "chat", "llmaz.io/replica": "0"})
    assert not found.selects({"llmaz.io/service": "chat", "llmaz.io/replica": "spare"})
    assert not found.selects({"llmaz.io/service": "other", "llmaz.io/replica": "0"})


def test_evictions_wait_until_the_other_slot_serves_and_the_old_one_was_deleted() -> None:
    world = ready()
    leave(world, CORDON)
    world.settle()
    (new,) = followers(world)
    world.bind(new, "n2", "10.0.0.10")
    for _ in range(20):
        world.decide()
        assert allowed(world) == 0
        if not world.tick():
            break
    assert [pod.node for pod in world.pods() if pod.is_ending] == ["n1"]
    assert least(world) == 1


def test_evictions_are_let_through_when_no_other_place_was_found_for_long() -> None:
    world = stuck()
    later(world, LATE - 1)
    before = world.snapshot()
    assert allowed(world) == 0
    assert before.budgets[OURS.key].held_since is not None
    later(world, 1)
    assert least(world) == 0
    (said,) = news(before, world.snapshot())
    assert (said.ref.kind.kind, said.ref.name, said.reason) == (
        "Playground",
        "chat",
        "EvictionsLetThrough",
    )
    assert list(news(world.snapshot(), world.snapshot())) == []


def test_a_place_that_is_found_late_holds_evictions_again() -> None:
    world = stuck()
    later(world, LATE)
    assert allowed(world) == 1
    (new,) = followers(world)
    world.bind(new, "n2", "10.0.0.10")
    world.decide()
    assert allowed(world) == 0
    assert world.snapshot().budgets[OURS.key].held_since is None


def test_a_slot_that_loads_for_hours_is_waited_for() -> None:
    world = ready()
    leave(world, CORDON)
    world.settle()
    (new,) = followers(world)
    world.bind(new, "n2", "10.0.0.10")
    world.decide()  # no agent does anything
    world.pass_(6 * 3600)
    world.decide()
    assert allowed(world) == 0


def test_a_slot_whose_image_is_nowhere_is_not_waited_for_any_longer_than_for_a_place() -> None:
    world = ready()
    leave(world, CORDON)
    world.settle()
    (new,) = followers(world)
    world.bind(new, "n2", "10.0.0.10")
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    status = {"name": "model-runner", "state": {"waiting": waiting}}
    world.manifest(new)["status"]["containerStatuses"] = [status]
    world.decide()
    world.pass_(LATE)
    world.decide()
    assert least(world) == 0


def test_as_many_go_at_once_as_an_update_would_take_down() -> None:
    world = stuck(3)
    later(world, LATE)
    assert allowed(world) == 1
    gone = world.pods(0)[0] if world.pods(0)[0].node else world.pods(0)[1]
    world.evict(gone)
    later(world, 1)
    assert allowed(world) == 1  # of the two that are left: the drain goes on
    assert least(world) == 1


def test_a_pod_on_a_node_of_which_nothing_is_known_holds_up_nobody() -> None:
    world = ready()
    del world.nodes["n1"]
    world.settle()
    assert least(world) == 0


def test_a_budget_of_somebody_else_comes_before_ours() -> None:
    world = ready()
    world.manifests[THEIRS] = budget(**{"llmaz.io/service": "other"})
    world.settle()
    assert OURS in world.manifests
    world.manifests[THEIRS] = budget(**{"llmaz.io/service": "chat"})
    world.settle()
    assert OURS not in world.manifests
    del world.manifests[THEIRS]
    world.settle()
    assert least(world) == 1


def test_there_is_none_where_it_is_not_wanted() -> None:
    world = ready()
    world.policy = dataclasses.replace(world.policy, disruption_budget=False)
    world.settle()
    assert OURS not in world.manifests


def test_there_is_none_without_replicas() -> None:
    world = ready()
    world.edit("chat", 0)
    world.settle()
    assert OURS not in world.manifests


def test_there_is_none_for_engines_that_are_processes() -> None:
    world = ready()
    world.policy = SlotPolicy(launcher="process")
    world.settle()
    assert OURS not in world.manifests


def test_there_is_none_for_groups_which_nothing_follows() -> None:
    together = runtime(multi_host_commands=MultiHostCommands(leader=("lead",), worker=("work",)))
    big = model("big", flavor("h100", 4, TP="4", PP="2"))
    nodes = node("n1", 4), node("n2", 4)
    world = slot_world(World().add(big, together, playground("chat", "big"), *nodes))
    world.settle()
    assert len(world.pods()) == 2
    assert OURS not in world.manifests


def test_a_budget_is_read_as_it_selects() -> None:
    requirements = [
        {"key": "tier", "operator": "In", "values": ["a", "b"]},
        {"key": "old", "operator": "DoesNotExist"},
        {"key": "app", "operator": "Exists"},
    ]
    selector: Any = {"matchExpressions": requirements}
    found = read_budget({"metadata": {"name": "one"}, "spec": {"selector": selector}})
    assert isinstance(found, Budget)
    assert found.requirements[0] == Requirement(key="tier", operator="In", values=("a", "b"))
    assert found.selects({"tier": "a", "app": "x"})
    assert not found.selects({"tier": "c", "app": "x"})
    assert not found.selects({"tier": "a", "app": "x", "old": ""})
    assert not found.selects({"tier": "a"})
    assert read_budget({"metadata": {"name": "one"}, "spec": {}}) is None
