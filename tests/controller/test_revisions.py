"""What the replicas of a Service ran is recorded, and comes back when it is asked for."""

import dataclasses

import pytest

from llmaz.api import names
from llmaz.api.kinds import CONTROLLER_REVISION
from llmaz.api.playground import BackendRuntimeConfig
from llmaz.controller.owned import owner_of
from llmaz.controller.revisions import HISTORY
from support.builders import runtime
from support.controlling import World, told, world_of
from support.failing import fail


def edited(world: World, *args: str) -> None:
    old = world.playground("chat")
    config = BackendRuntimeConfig(args=args)
    world.add(
        dataclasses.replace(old, spec=dataclasses.replace(old.spec, backend_runtime_config=config))
    )


def kept_at(world: World, revision: str | None) -> None:
    old = world.playground("chat")
    others = {k: v for k, v in old.metadata.annotations.items() if k != names.REVISION}
    annotations = others if revision is None else {**others, names.REVISION: revision}
    meta = dataclasses.replace(old.metadata, annotations=annotations)
    world.add(dataclasses.replace(old, metadata=meta))


def numbers(world: World) -> list[int]:
    return sorted(
        int(str(manifest["revision"]))
        for ref, manifest in world.manifests.items()
        if ref.kind == CONTROLLER_REVISION
    )


def last_args(world: World) -> set[str]:
    return {engine.args[-1] for one in world.nodes.values() for engine in one.spec.engines}


def settled(*edits: str, replicas: int = 1) -> World:
    """A world whose Playground went through these edits."""
    world = world_of(replicas)
    for edit in edits:
        edited(world, edit)
        world.settle()
    return world


def test_every_state_is_recorded_once_and_belongs_to_its_service() -> None:
    world = settled("--one", "--two")
    assert numbers(world) == [1, 2]
    owners = {owner_of(m) for r, m in world.manifests.items() if r.kind == CONTROLLER_REVISION}
    assert owners == {world.services[("default", "chat")].metadata.uid}
    assert world.playground("chat").status.revision == 2


def test_scaling_is_no_new_revision() -> None:
    world = settled("--one")
    world.edit("chat", 3)
    world.settle()
    assert numbers(world) == [1]


def test_a_state_that_comes_back_is_the_newest_again() -> None:
    world = settled("--one", "--two", "--one")
    assert numbers(world) == [2, 3]
    assert world.playground("chat").status.revision == 3


def test_a_revision_that_is_named_runs_whatever_is_edited() -> None:
    world = settled("--one", "--two")
    kept_at(world, "1")
    world.settle()
    assert last_args(world) == {"--one"}
    edited(world, "--three")
    world.settle()
    assert last_args(world) == {"--one"}
    assert numbers(world) == [1, 2, 3]
    status = world.playground("chat").status
    assert (status.revision, status.message) == (1, "kept at revision 1")
    assert told(world.available("chat")) == ("True", "PlaygroundReady")
    kept_at(world, None)
    world.settle()
    assert last_args(world) == {"--three"}


def test_a_revision_that_is_named_is_found_though_its_state_is_asked_for_again() -> None:
    world = settled("--one", "--two")
    kept_at(world, "1")
    world.settle()
    edited(world, "--one")
    world.settle()
    assert numbers(world) == [1, 2]
    assert world.playground("chat").status.message == "kept at revision 1"
    kept_at(world, None)
    world.settle()
    assert (numbers(world), last_args(world)) == ([2, 3], {"--one"})
    assert world.playground("chat").status.revision == 3


def test_an_edited_runtime_is_taken_back_as_well() -> None:
    world = settled("--one")
    world.add(runtime("vllm", "--of-the-runtime"))
    world.settle()
    before = world.engines()
    assert numbers(world) == [1, 2]
    kept_at(world, "1")
    world.settle()
    assert world.engines() == before
    args = {engine.args for engine in world.nodes["n1"].spec.engines}
    assert not any("--of-the-runtime" in one for one in args)


def test_an_update_that_got_stuck_is_undone_at_once() -> None:
    world = settled("--one", replicas=3)
    edited(world, "--wrong")
    world.decide()
    engines = world.nodes["n1"].spec.engines
    (first,) = (engine for engine in engines if engine.args[-1] == "--wrong")
    fail(world, first)
    world.decide()
    playground = world.playground("chat").status
    assert (playground.updated_replicas, playground.ready_replicas) == (1, 2)
    kept_at(world, "1")
    world.settle()
    assert last_args(world) == {"--one"}
    playground = world.playground("chat").status
    assert (playground.updated_replicas, playground.ready_replicas) == (3, 3)


def test_a_revision_that_is_not_recorded_leaves_everything_as_it_is() -> None:
    world = settled("--one")
    for said in ("7", "soon"):
        kept_at(world, said)
        edited(world, "--two")
        world.settle()
        assert last_args(world) == {"--one"}
        assert f"names {said}; recorded are 1, 2" in world.playground("chat").status.message
        assert told(world.available("chat"))[0] == "True"


@pytest.mark.parametrize("revision", ["-1", "two", "9" * 19, "9" * 5000])
def test_a_revision_that_is_no_number_leaves_everything_as_it_is(revision: str) -> None:
    world = settled("--one")
    kept_at(world, revision)
    edited(world, "--two")
    world.settle()
    assert last_args(world) == {"--one"}


def test_the_oldest_are_forgotten_but_not_the_one_in_use() -> None:
    world = settled("--0")
    kept_at(world, "1")
    for number in range(1, HISTORY + 3):
        edited(world, f"--{number}")
        world.settle()
    assert numbers(world) == [1, *range(5, HISTORY + 4)]
    assert last_args(world) == {"--0"}


def test_a_record_that_cannot_be_read_is_said() -> None:
    world = settled("--one", "--two")
    for ref, manifest in world.manifests.items():
        if ref.kind == CONTROLLER_REVISION and manifest["revision"] == 1:
            world.manifests[ref] = {**manifest, "data": {"spec": {"modelClaims": "none"}}}
    kept_at(world, "1")
    world.decide()
    assert "can't be read: spec.modelClaims" in world.playground("chat").status.message
    assert last_args(world) == {"--two"}
