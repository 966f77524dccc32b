"""A sample of random histories of a cluster; `bench/simulate.py` goes through many more."""

import dataclasses
from typing import cast

import pytest

from llmaz.api.kinds import EVENT, INFERENCE_NODE
from llmaz.api.manifest import Manifest, encode
from llmaz.api.node import InferenceNode, NodeSpec
from llmaz.controller.snapshot import Ref
from support.simulator import users
from support.simulator.history import Step, broken, shortened, steps_of, told, world_after
from support.simulator.merging import Merge, as_embedded, quickly
from support.simulator.mutants import MUTANTS

SEEDS, MORE_SEEDS = 80, 300


@pytest.mark.parametrize("tenth", range(10))
def test_a_random_history_breaks_no_rule_and_settles(tenth: int) -> None:
    for seed in range(tenth, SEEDS, 10):
        assert told(seed) is None


@pytest.mark.slow
@pytest.mark.parametrize("fifth", range(5))
def test_many_random_histories_break_no_rule_and_settle(fifth: int) -> None:
    for seed in range(SEEDS + fifth, MORE_SEEDS, 5):
        assert told(seed) is None


def test_replicas_that_are_no_longer_asked_for_end_even_while_their_model_is_missing() -> None:
    serving = [
        Step("join", ("n1", 2)),
        Step("join", ("n0", 2)),
        Step("offer", ("m1", "v1")),
        Step("provide", ("v1",)),
        Step("serve", ("p1", 2)),
        Step("calm"),
    ]
    assert broken(1, [*serving, Step("drop", ("m1",)), Step("serve", ("p1", 1))]) is None
    assert broken(488, [*serving, Step("serve", ("p1", 1)), Step("drop", ("m1",))]) is None


def test_what_nobody_asks_for_does_not_go_on_serving_where_its_flavor_is_taken_away() -> None:
    steps = [
        Step("serve", ("p3", 1)),
        Step("offer", ("m2", "v1")),
        Step("offer", ("m1", "v1")),
        Step("join", ("n0", 2)),
        Step("provide", ("v1",)),
        Step("join", ("n1", 4)),
        Step("edit", ("p3", "--x")),
        Step("serve", ("p1", 2)),
        Step("withdraw", ("p2",)),
        Step("join", ("n0", 1)),
        Step("unite", ("default",)),
        Step("restart_blind", (1,)),
        Step("edit", ("p0", "--x")),
        Step("rest", ("p3",)),
        Step("serve", ("p3", 0)),
        Step("offer", ("m2", "last flavor only")),
    ]
    assert broken(460, steps) is None


def test_what_moves_back_counts_as_ready_where_it_still_serves() -> None:
    steps = [
        Step("join", ("n1", 4)),
        Step("offer", ("m2", "v1")),
        Step("offer", ("m1", "v1")),
        Step("provide", ("v1",)),
        Step("join", ("n0", 2)),
        Step("serve", ("p2", 2)),
        Step("offer", ("m0", "v1")),
        Step("place", ("p2", "move back")),
        Step("restart"),
        Step("join", ("n0", 1)),
        Step("silence", ("n3", False)),
        Step("restart"),
        Step("serve", ("p2", 2)),
        Step("taint", ("n2", None)),
        Step("join", ("n3", 1)),
        Step("rival", (None,)),
        Step("withdraw", ("p1",)),
        Step("serve", ("p3", 0)),
        Step("calm"),
        Step("pass_time", (60,)),
        Step("drop", ("m1",)),
        Step("edit", ("p2", "--x")),
    ]
    assert broken(2003674, steps) is None


def test_a_group_that_never_was_whole_holds_up_no_update_when_it_loses_its_place() -> None:
    steps = [
        Step("offer", ("m1", "v1")),
        Step("serve", ("p3", 2)),
        Step("offer", ("m0", "v1")),
        Step("provide", ("v1",)),
        Step("join", ("n0", 2)),
        Step("offer", ("m2", "v1")),
        Step("join", ("n1", 1)),
        Step("serve", ("p1", 2)),
        Step("place", ("p1", "move back")),
        Step("rest", ("p3",)),
        Step("calm"),
        Step("join", ("n0", 1)),
        Step("drain", ("n3", True)),
        Step("surge", ("p2", 1)),
        Step("silence", ("n1", False)),
        Step("restart_blind", (3,)),
        Step("silence", ("n1", True)),
        Step("cordon", ("n1", False)),
        Step("fail", (0.1,)),
        Step("restart_blind", (3,)),
        Step("silence", ("n3", False)),
        Step("rest", ("p0",)),
        Step("provide", ("v2",)),
        Step("restart_blind", (3,)),
        Step("join", ("n2", 1)),
        Step("fail", (0.4,)),
        Step("restart"),
        Step("serve", ("p0", 1)),
        Step("rival", (None,)),
        Step("cut", (3,)),
    ]
    assert broken(2008197, steps) is None


def test_a_replica_whose_flavor_is_taken_away_in_an_update_holds_up_none_that_fits() -> None:
    steps = [
        Step("serve", ("p0", 3)),
        Step("provide", ("v1",)),
        Step("join", ("n1", 1)),
        Step("offer", ("m0", "v1")),
        Step("join", ("n0", 2)),
        Step("place", ("p0", "high")),
        Step("rest", ("p0",)),
        Step("calm"),
        Step("edit", ("p0", "--never-ready")),
        Step("place", ("p3", "patient")),
        Step("offer", ("m2", "v2")),
        Step("offer", ("m0", "last flavor only")),
    ]
    assert broken(2014654, steps) is None


def test_a_playground_that_can_t_be_filled_in_stays_as_important_as_it_was() -> None:
    steps = [
        Step("serve", ("p3", 3)),
        Step("provide", ("v1",)),
        Step("join", ("n0", 2)),
        Step("offer", ("m0", "v1")),
        Step("join", ("n1", 2)),
        Step("offer", ("m2", "v1")),
        Step("serve", ("p2", 3)),
        Step("calm"),
        Step("offer", ("m2", "unfit")),
        Step("place", ("p3", "low")),
    ]
    assert broken(2010085, steps) is None


def test_a_replica_that_is_no_group_any_more_starts_again_when_it_has_ended() -> None:
    steps = [
        Step("offer", ("m2", "v1")),
        Step("join", ("n1", 4)),
        Step("provide", ("v1",)),
        Step("serve", ("p3", 1)),
        Step("leave", ("n0",)),
        Step("offer", ("m2", "last flavor only")),
        Step("surge", ("p0", 1)),
        Step("crash", ("n1",)),
    ]
    assert broken(2022477, steps) is None


def test_a_group_that_is_asked_for_again_before_all_its_agents_look_becomes_ready() -> None:
    paired = [
        Step("offer", ("m2", "v1")),
        Step("prefetch", ("m2", 2)),
        Step("provide", ("v1",)),
        Step("join", ("n0", 1)),
        Step("join", ("n1", 1)),
        Step("serve", ("p3", 1)),
        Step("calm"),
        Step("crash", ("n1",)),
        Step("calm"),
    ]
    world = world_after(1, paired)
    for replicas in (0, 1):
        users.serve(world, "p3", replicas)
        for _ in range(4):
            world.leader.hear()
            world.leader.round(world.server.now)
            world.agents["n0"].step()
    world.end(users.mend)


def test_the_same_seed_is_always_the_same_history() -> None:
    assert _written(7, quickly) == _written(7, quickly)


@pytest.mark.parametrize("seed", range(12))
def test_what_is_merged_quickly_is_what_the_embedded_server_merges(seed: int) -> None:
    assert _written(seed, quickly) == _written(seed, as_embedded)


def _written(seed: int, merge: Merge) -> list[tuple[Ref, str, Manifest]]:
    """Return every write of a history, but for Events: they carry the time of day."""
    log = world_after(seed, steps_of(seed), merge).server.log
    return [(ref, event.type, _unmanaged(event.object)) for ref, event in log if ref.kind != EVENT]


def _unmanaged(manifest: Manifest) -> Manifest:
    meta = cast("Manifest", manifest["metadata"])
    bare: Manifest = {key: value for key, value in meta.items() if key != "managedFields"}
    return {**manifest, "metadata": bare}


def test_the_rules_notice_an_engine_that_is_stopped_for_no_reason() -> None:
    world = world_after(1, [*_one_served(), Step("calm")])
    (node,) = world.server.all(INFERENCE_NODE, InferenceNode)
    assert node.spec.engines
    spec = encode(dataclasses.replace(node.spec, engines=()))
    with pytest.raises(AssertionError, match="nobody asked to stop it"):
        world.server.put(world.agents["n0"].ref, {"spec": spec})


def test_the_rules_notice_an_accelerator_that_two_engines_own() -> None:
    world = world_after(1, [*_one_served(), Step("calm")])
    (node,) = world.server.all(INFERENCE_NODE, InferenceNode)
    twice = (*node.spec.engines, dataclasses.replace(node.spec.engines[0], id="default/p1-0"))
    spec = encode(NodeSpec(models=node.spec.models, engines=twice))
    world.server.put(world.agents["n0"].ref, {"spec": spec})
    with pytest.raises(AssertionError, match="n0"):
        world.rules.check()


def test_a_failing_history_is_told_in_its_fewest_steps() -> None:
    steps = [*_one_served(), Step("join", ("n3", 1)), Step("unheard_of"), Step("calm")]
    assert shortened(1, steps) == [Step("unheard_of")]


def _one_served() -> list[Step]:
    return [
        Step("offer", ("m1", "v1")),
        Step("provide", ("v1",)),
        Step("join", ("n0", 2)),
        Step("serve", ("p1", 1)),
    ]


@pytest.mark.parametrize("mutant", MUTANTS)
def test_what_a_mistake_made_on_purpose_replaces_is_there(mutant: str) -> None:
    where, what, _ = MUTANTS[mutant]
    assert hasattr(where, what)
