"""How an edit reaches engines that serve."""

import dataclasses
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmaz.api.fingerprint import fingerprint
from llmaz.api.node import EnginePhase
from llmaz.api.playground import BackendRuntimeConfig
from llmaz.api.service import RollingUpdate, RolloutStrategy, Service
from llmaz.api.source import ModelHub, ModelSource
from llmaz.controller.rollout import most_surplus, most_unavailable
from support.controlling import World, told, world_of
from support.failing import fail_first
from support.seated import seats_by_engine


def test_an_edit_replaces_engines_one_at_a_time() -> None:
    world = world_of(3)
    world.settle()
    world.add(
        dataclasses.replace(
            world.playground("chat"),
            spec=dataclasses.replace(
                world.playground("chat").spec,
                backend_runtime_config=BackendRuntimeConfig(args=("--new",)),
            ),
        )
    )
    least_ready = 3
    for _ in range(20):
        world.decide()
        ready = sum(
            one.phase is EnginePhase.READY
            and one.fingerprint
            in [fingerprint(e) for e in world.nodes["n1"].spec.engines if e.id == one.id]
            for one in world.nodes["n1"].status.engines or ()
        )
        least_ready = min(least_ready, ready)
        if not world.tick():
            break
    assert least_ready == 2
    assert all(engine.args[-1] == "--new" for engine in world.nodes["n1"].spec.engines)


def test_an_edited_model_is_fetched_before_an_engine_that_serves_ends() -> None:
    world = world_of()
    world.settle()
    (before,) = world.nodes["n1"].spec.engines
    old = world.models["qwen"]
    newer = ModelSource(model_hub=ModelHub(model_id="org/qwen", revision="v2"))
    world.add(dataclasses.replace(old, spec=dataclasses.replace(old.spec, source=newer)))
    world.decide()
    assert world.nodes["n1"].spec.engines == (before,)
    assert [model.source for model in world.nodes["n1"].spec.models] == [newer]
    assert told(world.available("chat")) == ("True", "PlaygroundReady")
    assert world.playground("chat").status.message == ("1 of 1 replicas wait to be replaced")
    world.settle()
    (after,) = world.nodes["n1"].spec.engines
    assert after.weights != before.weights
    assert world.playground("chat").status.message == ""


def test_an_update_whose_first_engine_does_not_become_ready_goes_no_further() -> None:
    world = world_of(3)
    world.settle()
    before = world.nodes["n1"].spec.engines
    old = world.playground("chat")
    wrong = BackendRuntimeConfig(args=("--wrong",))
    world.add(
        dataclasses.replace(old, spec=dataclasses.replace(old.spec, backend_runtime_config=wrong))
    )
    world.decide()
    first = world.nodes["n1"].spec.engines[0]
    fail_first(world)
    world.decide()
    assert world.nodes["n1"].spec.engines == (first, *before[1:])
    assert world.playground("chat").status.message == (
        "2 of 3 replicas are ready; replica 0: on n1: BadArguments; "
        "2 of 3 replicas wait to be replaced"
    )
    world.add(old)
    world.settle()
    assert world.nodes["n1"].spec.engines == before


def limited(service: Service, limits: RollingUpdate) -> Service:
    strategy = RolloutStrategy(rolling_update_configuration=limits)
    spec = dataclasses.replace(service.spec, rollout_strategy=strategy)
    return dataclasses.replace(service, spec=spec)


def updating(gpus: int, limits: RollingUpdate) -> World:
    """Two replicas whose model was edited, with these limits of their Service."""
    world = world_of(2, gpus)
    world.settle()
    key = ("default", "chat")
    world.services[key] = limited(world.services[key], limits)
    old = world.models["qwen"]
    newer = ModelSource(model_hub=ModelHub(model_id="org/qwen", revision="v2"))
    world.add(dataclasses.replace(old, spec=dataclasses.replace(old.spec, source=newer)))
    return world


def test_a_surplus_replica_serves_while_the_others_are_replaced() -> None:
    world = updating(3, RollingUpdate(max_unavailable=0, max_surge=1))
    weights = {engine.weights for engine in world.nodes["n1"].spec.engines}
    counts = []
    for _ in range(20):
        acted = bool(world.decide())
        seats = seats_by_engine(world.snapshot()).values()
        counts.append((sum(seat.is_ready for seat in seats), len(seats)))
        if not world.tick() and not acted:
            break
    assert min(ready for ready, _ in counts) == 2
    assert max(there for _, there in counts) == 3
    assert list(world.engines()) == ["default/chat-0", "default/chat-1"]
    assert weights.isdisjoint(engine.weights for engine in world.nodes["n1"].spec.engines)


def test_without_room_for_a_surplus_replica_what_may_not_be_missing_stays() -> None:
    world = updating(2, RollingUpdate(max_unavailable=0, max_surge=1))
    before = world.nodes["n1"].spec.engines
    world.settle()
    assert world.nodes["n1"].spec.engines == before
    assert world.playground("chat").status.message == "2 of 2 replicas wait to be replaced"


@pytest.mark.parametrize(
    ("limits", "unavailable", "surplus"),
    [
        (RollingUpdate(), 1, 0),
        (RollingUpdate(max_unavailable=0, max_surge="25%"), 0, 1),
        (RollingUpdate(max_unavailable="25%"), 1, 0),
        (RollingUpdate(max_unavailable="100%", max_surge="100%"), 2, 2),
    ],
)
def test_limits_are_numbers_or_shares(
    limits: RollingUpdate, unavailable: int, surplus: int
) -> None:
    world = world_of(2)
    world.settle()
    service = limited(world.services["default", "chat"], limits)
    assert (most_unavailable(service), most_surplus(service)) == (unavailable, surplus)


def test_an_update_goes_on_though_some_replicas_fit_nowhere() -> None:
    world = world_of(3, gpus=1)
    world.settle()
    old = world.playground("chat")
    config = BackendRuntimeConfig(args=("--new",))
    world.add(
        dataclasses.replace(old, spec=dataclasses.replace(old.spec, backend_runtime_config=config))
    )
    world.settle()
    (engine,) = world.nodes["n1"].spec.engines
    assert engine.args[-1] == "--new"


@cache
def some_service() -> Service:
    world = world_of(2)
    world.settle()
    return world.services["default", "chat"]


SHARES = st.integers(0, 100).map("{}%".format)


@given(
    replicas=st.integers(0, 50), down=st.integers(0, 9) | SHARES, more=st.integers(0, 9) | SHARES
)
def test_an_update_can_always_go_on_and_takes_no_more_than_it_may(
    replicas: int, down: int | str, more: int | str
) -> None:
    limited_ = limited(some_service(), RollingUpdate(max_unavailable=down, max_surge=more))
    service = dataclasses.replace(
        limited_, spec=dataclasses.replace(limited_.spec, replicas=replicas)
    )
    missing, surplus = most_unavailable(service), most_surplus(service)
    assert missing + surplus >= 1
    assert missing <= max(1, down if isinstance(down, int) else replicas)
    assert 0 <= surplus <= (more if isinstance(more, int) else replicas)
