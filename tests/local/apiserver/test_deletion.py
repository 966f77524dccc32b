"""Finalizers, owners, namespaces and CRDs: what goes, what waits, and what a crash leaves to do."""

import pytest

from support.apicalls import (
    config_map,
    created,
    deleted,
    got,
    merged,
    namespace,
    owned_by,
    wait_for_status,
    with_finalizer,
)
from support.controlplane import EmbeddedServer
from support.plane import ControlPlane
from support.recordings import call

NO_FINALIZERS = {"metadata": {"finalizers": None}}


def crd(group: str) -> dict[str, object]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
    }
    names = {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }


CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def thing(group: str, name: str) -> dict[str, object]:
    return {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": name}}


def test_what_an_object_owns_goes_after_it(collecting_plane: ControlPlane) -> None:
    plane = collecting_plane
    maps = namespace(plane, "background")
    owner = created(plane, maps, config_map("owner"))
    child = created(plane, maps, owned_by(owner, config_map("child")))
    created(plane, maps, owned_by(child, config_map("grandchild")))

    assert deleted(plane, f"{maps}/owner").json()["status"] == "Success"

    wait_for_status(plane, f"{maps}/child", 404)
    wait_for_status(plane, f"{maps}/grandchild", 404)


def test_an_owner_that_cannot_be_looked_for_is_not_taken_for_gone(
    collecting_plane: ControlPlane,
) -> None:
    plane = collecting_plane
    maps = namespace(plane, "unknown-owners")
    metadata = {"name": "web", "uid": "4c3b2a10-0000-4000-8000-000000000000"}
    unknown = {"apiVersion": "nowhere.example.io/v1", "kind": "Nothing", "metadata": metadata}
    gone = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    created(plane, maps, owned_by(unknown, config_map("kept")))
    owner = created(plane, maps, config_map("owner"))
    node = {"metadata": {"name": "unowned"}}
    created(plane, "/api/v1/nodes", owned_by(owner, node))

    created(plane, maps, owned_by(gone, config_map("lost")))

    wait_for_status(plane, f"{maps}/lost", 404)
    assert got(plane, f"{maps}/kept")
    assert got(plane, "/api/v1/nodes/unowned")


def test_owners_of_each_other_go_together(collecting_plane: ControlPlane) -> None:
    plane = collecting_plane
    maps = namespace(plane, "circle")
    one = created(plane, maps, config_map("one"))
    other = created(plane, maps, owned_by(one, config_map("other"), blocking=True))
    circle = owned_by(other, config_map("one"), blocking=True)["metadata"]["ownerReferences"]
    assert merged(plane, f"{maps}/one", {"metadata": {"ownerReferences": circle}}).status == 200

    assert deleted(plane, f"{maps}/one", "Foreground").status == 200

    wait_for_status(plane, f"{maps}/one", 404)
    wait_for_status(plane, f"{maps}/other", 404)


def test_in_the_foreground_the_owner_waits_for_what_blocks_it(
    collecting_plane: ControlPlane,
) -> None:
    plane = collecting_plane
    maps = namespace(plane, "foreground")
    owner = created(plane, maps, config_map("owner"))
    held = with_finalizer(owned_by(owner, config_map("child"), blocking=True))
    held["metadata"]["ownerReferences"] = owned_by(owner, held, blocking=True)["metadata"][
        "ownerReferences"
    ]
    created(plane, maps, held)

    waiting = deleted(plane, f"{maps}/owner", "Foreground").json()
    assert waiting["metadata"]["finalizers"] == ["foregroundDeletion"]
    assert got(plane, f"{maps}/owner")["metadata"]["deletionTimestamp"]

    merged(plane, f"{maps}/child", NO_FINALIZERS)
    wait_for_status(plane, f"{maps}/child", 404)
    wait_for_status(plane, f"{maps}/owner", 404)


def test_orphans_stay_and_lose_their_reference(collecting_plane: ControlPlane) -> None:
    plane = collecting_plane
    maps = namespace(plane, "orphans")
    owner = created(plane, maps, config_map("owner"))
    created(plane, maps, owned_by(owner, config_map("child")))

    deleted(plane, f"{maps}/owner", "Orphan")

    wait_for_status(plane, f"{maps}/owner", 404)
    assert "ownerReferences" not in got(plane, f"{maps}/child")["metadata"]


def test_an_object_with_two_owners_stays_while_one_is_there(
    collecting_plane: ControlPlane,
) -> None:
    plane = collecting_plane
    maps = namespace(plane, "owners")
    one, two = (created(plane, maps, config_map(name)) for name in ("one", "two"))
    child = owned_by(one, config_map("child"))
    child["metadata"]["ownerReferences"] += owned_by(two, child)["metadata"]["ownerReferences"]
    created(plane, maps, child)
    marker = created(plane, maps, owned_by(one, config_map("marker")))

    deleted(plane, f"{maps}/one")
    wait_for_status(plane, f"{maps}/marker", 404)

    assert marker["metadata"]["ownerReferences"]
    assert call(plane, "GET", f"{maps}/child").status == 200
    deleted(plane, f"{maps}/two")
    wait_for_status(plane, f"{maps}/child", 404)


def test_an_object_whose_owner_never_was_is_collected(collecting_plane: ControlPlane) -> None:
    plane = collecting_plane
    maps = namespace(plane, "strays")
    owner = created(plane, maps, config_map("owner"))
    deleted(plane, f"{maps}/owner")
    created(plane, maps, owned_by(owner, config_map("stray")))
    wait_for_status(plane, f"{maps}/stray", 404)


def test_a_namespace_takes_what_is_in_it_along_and_lets_nothing_new_in(
    control_plane: ControlPlane,
) -> None:
    plane = control_plane
    maps = namespace(plane, "leaving")
    created(plane, maps, with_finalizer(config_map("held")))
    created(plane, maps, config_map("plain"))

    leaving = deleted(plane, "/api/v1/namespaces/leaving").json()
    assert leaving["status"]["phase"] == "Terminating"
    refused = call(plane, "POST", maps, config_map("late"))
    assert refused.status == 403
    assert refused.json()["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    if not plane.collects:
        return  # nor does anybody empty it

    wait_for_status(plane, f"{maps}/plain", 404)
    assert call(plane, "GET", "/api/v1/namespaces/leaving").status == 200
    merged(plane, f"{maps}/held", NO_FINALIZERS)
    wait_for_status(plane, "/api/v1/namespaces/leaving", 404)


def test_a_definition_takes_its_objects_along(control_plane: ControlPlane) -> None:
    plane, group = control_plane, "leaving.example.io"
    created(plane, CRDS, crd(group))
    things = f"/apis/{group}/v1/namespaces/default/things"
    wait_for_status(plane, things, 200)
    created(plane, things, with_finalizer(thing(group, "held")))

    deleted(plane, f"{CRDS}/things.{group}")
    merged(plane, f"{things}/held", NO_FINALIZERS)

    wait_for_status(plane, f"{CRDS}/things.{group}", 404)
    wait_for_status(plane, things, 404)


@pytest.mark.parametrize("kills", [1, 2])
def test_deletions_go_on_after_a_crash(embedded_server: EmbeddedServer, kills: int) -> None:
    plane = embedded_server.start()
    maps = namespace(plane, "crashed")
    created(plane, maps, with_finalizer(config_map("held")))
    created(plane, CRDS, crd("crashed.example.io"))
    things = "/apis/crashed.example.io/v1/namespaces/default/things"
    created(plane, things, with_finalizer(thing("crashed.example.io", "held")))
    deleted(plane, "/api/v1/namespaces/crashed")
    deleted(plane, f"{CRDS}/things.crashed.example.io")

    for _ in range(kills):
        embedded_server.kill()
        plane = embedded_server.start()
    merged(plane, f"{maps}/held", NO_FINALIZERS)
    merged(plane, f"{things}/held", NO_FINALIZERS)

    wait_for_status(plane, "/api/v1/namespaces/crashed", 404)
    wait_for_status(plane, f"{CRDS}/things.crashed.example.io", 404)
