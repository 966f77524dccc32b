"""What revisions tell a person."""

from llmaz.api.manifest import Json, Manifest
from llmaz.cli.history import before, differences, recorded, rollout_of, rows


def revision(number: int, *args: str) -> Manifest:
    runner: Json = {"name": "model-runner", "args": list(args)}
    spec: Json = {"workloadTemplate": {"containers": [runner]}}
    created = f"2026-01-01T00:00:0{number}Z"
    return {"metadata": {"creationTimestamp": created}, "revision": number, "data": {"spec": spec}}


def playground(*, pinned: str = "", generation: int = 3, **status: Json) -> Manifest:
    annotations: Json = {"llmaz.io/revision": pinned} if pinned else {}
    return {
        "metadata": {"generation": generation, "annotations": annotations},
        "spec": {"replicas": 2},
        "status": {"observedGeneration": 3, **status},
    }


def test_each_revision_says_what_it_changed() -> None:
    told = list(rows(recorded([revision(2, "--b"), revision(1, "--a")]), current=2))
    assert told == [
        ("1", "2026-01-01T00:00:01Z", "first recorded"),
        ("2 *", "2026-01-01T00:00:02Z", "spec.workloadTemplate.containers.model-runner.args"),
    ]


def test_many_changes_are_counted() -> None:
    old: Manifest = {"revision": 1, "data": {}}
    new: Manifest = {"revision": 2, "data": dict.fromkeys("abcde", 1)}
    assert list(rows(recorded([old, new]), 2))[1][2] == "a, b, c, and 2 more"


def test_items_of_lists_without_names_are_one_value() -> None:
    assert list(differences({"args": ["a"]}, {"args": ["a", "b"]})) == ["args"]
    assert list(differences([{"name": "x", "v": 1}], [{"name": "x", "v": 2}])) == ["x.v"]


def test_the_revision_before_is_the_next_older_one_that_is_there() -> None:
    there = recorded([revision(2), revision(5), revision(7)])
    assert (before(there, 7), before(there, 6), before(there, 2)) == (5, 5, None)


def test_an_update_is_done_when_all_replicas_are_updated_and_ready() -> None:
    done = rollout_of(playground(updatedReplicas=2, readyReplicas=2, revision=4))
    assert done.is_done
    assert str(done) == "revision 4: 2 of 2 replicas updated, 2 ready"
    waits = rollout_of(playground(updatedReplicas=1, readyReplicas=2, revision=4, message="slow"))
    assert not waits.is_done
    assert str(waits) == "revision 4: 1 of 2 replicas updated, 2 ready; slow"


def test_what_the_controller_has_not_read_is_not_done() -> None:
    unread = rollout_of(playground(generation=4, updatedReplicas=2, readyReplicas=2))
    assert not unread.is_done
    assert str(unread) == "waits for the controller to read it"


def test_a_revision_that_is_kept_is_said_to_be() -> None:
    kept = rollout_of(playground(pinned="4", updatedReplicas=2, readyReplicas=2, revision=4))
    assert str(kept) == "revision 4 (kept there): 2 of 2 replicas updated, 2 ready"
