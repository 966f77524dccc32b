"""Which nodes hold a model before anything asks for it."""

import dataclasses

from llmaz.api.cache import CacheReport
from llmaz.api.meta import ObjectMeta, find_condition
from llmaz.api.node import AssignedModel, InferenceNode, ModelPhase, ModelReport
from llmaz.api.openmodel import OpenModel, OpenModelStatus, Prefetch, SecretReference
from llmaz.controller.actions import RecordEvent
from llmaz.controller.prefetch import wish_for_waiting, wish_of
from support.builders import flavor, model, node, on, playground, runtime
from support.controlling import World


def ahead(one: OpenModel, prefetch: Prefetch | None = None) -> OpenModel:
    """The model, to be held before anything asks for it."""
    spec = dataclasses.replace(one.spec, prefetch=prefetch or Prefetch())
    return dataclasses.replace(one, spec=spec)


def sized(one: OpenModel, size: int) -> OpenModel:
    return dataclasses.replace(one, status=OpenModelStatus(observed_generation=1, size_bytes=size))


def bounded(one: InferenceNode, quota: int) -> InferenceNode:
    cache = CacheReport(used_bytes=0, quota_bytes=quota)
    return dataclasses.replace(one, status=dataclasses.replace(one.status, cache=cache))


def holders(world: World, name: str) -> list[str]:
    return [
        node_name
        for node_name, one in sorted(world.nodes.items())
        if any(held.name == name for held in one.spec.models)
    ]


def held(world: World, node_name: str, name: str) -> AssignedModel:
    return next(one for one in world.nodes[node_name].spec.models if one.name == name)


def label(world: World, node_name: str, **labels: str) -> None:
    world.kube_nodes[node_name] = dataclasses.replace(world.kube_nodes[node_name], labels=labels)


def test_a_model_is_held_by_every_node_that_could_serve_it() -> None:
    world = World().add(ahead(model("qwen", flavor("a10"))), node("gpu", 1), node("cpu"))
    world.decide()
    assert holders(world, "qwen") == ["gpu"]
    assert held(world, "gpu", "qwen").priority == "prefetch"
    assert world.plan() == ()


def test_the_annotation_asks_for_the_same() -> None:
    one = model("qwen")
    meta = ObjectMeta(name="qwen", uid="u", annotations={"llmaz.io/model-preheat": "true"})
    world = World().add(dataclasses.replace(one, metadata=meta), node("a"), node("b"))
    world.decide()
    assert holders(world, "qwen") == ["a", "b"]


def test_as_many_nodes_hold_it_as_are_asked_for_and_always_the_same() -> None:
    world = World().add(
        ahead(model("qwen"), Prefetch(nodes=2)), *(node(f"n{index}") for index in range(6))
    )
    world.decide()
    first = holders(world, "qwen")
    assert len(first) == 2
    world.add(*(node(f"a{index}") for index in range(6)))
    world.decide()
    assert holders(world, "qwen") == first


def test_nodes_are_selected_by_their_labels_and_the_flavors() -> None:
    wanted = ahead(
        model("qwen", on(flavor("a10", gpus=0), pool="big")), Prefetch(node_selector={"zone": "x"})
    )
    world = World().add(wanted, node("a"), node("b"), node("c"))
    label(world, "a", pool="big", zone="x")
    label(world, "b", pool="big", zone="y")
    label(world, "c", zone="x")
    world.decide()
    assert holders(world, "qwen") == ["a"]


def test_a_node_that_serves_the_model_counts_and_holds_it_on_demand() -> None:
    world = World().add(
        ahead(model("qwen", flavor("a10")), Prefetch(nodes=1, pin=True)),
        runtime(),
        playground("chat", "qwen"),
        node("n1", 1),
        node("n2", 1),
    )
    world.settle()
    where = world.engines()["default/chat-0"][0]
    assert holders(world, "qwen") == [where]
    assert held(world, where, "qwen") == AssignedModel(
        name="qwen",
        source=world.models["qwen"].spec.source,
        secret_namespace="default",
        pin=True,
        priority="demand",
    )


def test_where_not_all_fit_the_highest_priority_comes_first() -> None:
    world = World().add(
        sized(ahead(model("a"), Prefetch(priority=1)), 50),
        sized(ahead(model("b"), Prefetch(priority=5)), 50),
        sized(ahead(model("c"), Prefetch(priority=3)), 20),
        bounded(node("n1"), 100),
    )
    world.decide()
    assert [one.name for one in world.nodes["n1"].spec.models] == ["b", "c"]


def test_a_cordoned_node_keeps_what_it_was_told_and_gets_nothing_new() -> None:
    world = World().add(ahead(model("old")), node("n1"))
    world.decide()
    world.kube_nodes["n1"] = dataclasses.replace(world.kube_nodes["n1"], unschedulable=True)
    world.add(ahead(model("new")))
    world.decide()
    assert (holders(world, "old"), holders(world, "new")) == (["n1"], [])


def test_a_lost_node_counts_no_more() -> None:
    world = World().add(ahead(model("qwen"), Prefetch(nodes=1)), node("n1"), node("n2"))
    world.decide()
    (lost,) = holders(world, "qwen")
    world.lose(lost)
    world.now = world.now.replace(hour=13)
    world.decide()
    (other,) = [name for name in world.nodes if name != lost]
    assert holders(world, "qwen") == [other]


def test_a_replica_that_waits_for_a_place_finds_its_weights_there() -> None:
    world = World().add(
        model("qwen", flavor("a10")),
        model("llama", flavor("a10")),
        runtime(),
        playground("first", "llama"),
        node("n1", 1),
    )
    world.settle()
    world.add(playground("second", "qwen"))
    world.settle()
    assert held(world, "n1", "qwen").priority == "prefetch"
    assert list(world.engines()) == ["default/first-0"]


def test_what_is_asked_for_no_more_is_dropped() -> None:
    world = World().add(ahead(model("qwen")), node("n1"))
    world.decide()
    world.add(model("qwen"))
    world.decide()
    assert holders(world, "qwen") == []


def fetched(world: World, node_name: str, revision: str) -> None:
    """Let a node report that it holds what it shall, at a commit."""
    one = world.nodes[node_name]
    reports = tuple(
        ModelReport(name=held.name, phase=ModelPhase.READY, revision=revision, bytes_total=2**30)
        for held in one.spec.models
    )
    status = dataclasses.replace(one.status, models=reports)
    world.nodes[node_name] = dataclasses.replace(one, status=status)


def test_all_nodes_fetch_the_commit_that_the_first_one_has_found() -> None:
    world = World().add(ahead(model("qwen")), node("a"), node("b"))
    world.decide()
    fetched(world, "a", "c0ffee")
    world.decide()
    assert held(world, "b", "qwen").revision == "c0ffee"
    status = world.models["qwen"].status
    assert (status.cached, status.size, status.revision) == ("1/2", "1.0Gi", "c0ffee")


def test_a_branch_that_moved_while_no_node_held_the_model_is_told_once() -> None:
    world = World().add(ahead(model("qwen")), node("a"))
    world.decide()
    fetched(world, "a", "c0ffee")
    world.decide()
    cold = world.nodes["a"]
    cold = dataclasses.replace(cold, status=dataclasses.replace(cold.status, models=()))
    world.nodes["a"] = cold
    world.decide()
    assert held(world, "a", "qwen").revision == ""
    fetched(world, "a", "decaf")
    events = [action for action in world.decide() if isinstance(action, RecordEvent)]
    assert [(event.reason, event.message) for event in events] == [
        ("RevisionMoved", "main is decaf now; it was c0ffee when no node held it any more")
    ]
    assert world.models["qwen"].status.revision == "decaf"


def test_nodes_that_hold_several_commits_are_told() -> None:
    world = World().add(ahead(model("qwen")), node("a"), node("b"))
    world.decide()
    fetched(world, "a", "c0ffee")
    fetched(world, "b", "decaf")
    world.decide()
    cached = find_condition(world.models["qwen"].status.conditions, "Cached")
    assert cached is not None
    assert cached.message == (
        "2/2 nodes that shall hold the weights do; they hold 2 revisions: c0ffee, decaf"
    )


def test_the_secret_that_a_model_names_goes_to_whoever_fetches_it() -> None:
    one = ahead(model("m", flavor("cpu")))
    named = dataclasses.replace(one.spec, secret_ref=SecretReference(name="team-hub"))
    wish = wish_of(dataclasses.replace(one, spec=named))
    assert wish is not None
    assert (wish.model.secret, wish.model.secret_namespace) == ("team-hub", "llmaz-system")
    waiting = wish_for_waiting(wish.model, wish.flavors, 1, "ns/s")
    assert waiting.model.secret == "team-hub"
