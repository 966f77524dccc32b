"""CRDs: versions, names that are taken, and defaults that objects get later."""

import time
from typing import Any

from support.apicalls import DEADLINE, created, got, merged, wait_for_status
from support.plane import ControlPlane
from support.recordings import call

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
Json = Any


def _version(name: str, *, storage: bool = True, **fields: Json) -> Json:
    spec = {"type": "object", "properties": fields}
    schema = {"type": "object", "properties": {"spec": spec}}
    return {
        "name": name,
        "served": True,
        "storage": storage,
        "schema": {"openAPIV3Schema": schema},
    }


def _crd(plural: str, kind: str, group: str, *versions: Json) -> Json:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": list(versions),
        },
    }


def _condition(plane: ControlPlane, name: str, type_: str) -> Json:
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        conditions = got(plane, f"{CRDS}/{name}")["status"].get("conditions") or []
        for condition in conditions:
            if condition["type"] == type_:
                return condition
        time.sleep(0.02)
    raise AssertionError(f"{name} has no condition {type_}")


def test_an_object_is_served_in_each_version(control_plane: ControlPlane) -> None:
    group, text = "versions.example.io", {"type": "string"}
    versions = (_version("v1", text=text), _version("v1beta1", storage=False, text=text))
    created(control_plane, CRDS, _crd("notes", "Note", group, *versions))
    path = "/apis/versions.example.io/{}/namespaces/default/notes"
    wait_for_status(control_plane, path.format("v1"), 200)
    obj = {"apiVersion": f"{group}/v1beta1", "kind": "Note", "metadata": {"name": "n"}}
    made = created(control_plane, path.format("v1beta1"), obj | {"spec": {"text": "x"}})
    assert made["apiVersion"] == f"{group}/v1beta1"

    assert got(control_plane, path.format("v1") + "/n")["apiVersion"] == f"{group}/v1"
    listed = got(control_plane, path.format("v1beta1"))["items"]
    assert [item["apiVersion"] for item in listed] == [f"{group}/v1beta1"]
    preferred = got(control_plane, f"/apis/{group}")["preferredVersion"]["version"]
    assert preferred == "v1"


def test_a_kind_that_is_taken_is_not_accepted(control_plane: ControlPlane) -> None:
    group = "taken.example.io"
    created(control_plane, CRDS, _crd("firsts", "Same", group, _version("v1")))
    _condition(control_plane, f"firsts.{group}", "Established")
    created(control_plane, CRDS, _crd("seconds", "Same", group, _version("v1")))

    condition = _condition(control_plane, f"seconds.{group}", "NamesAccepted")
    assert (condition["status"], condition["reason"]) == ("False", "ListKindConflict")
    path = f"/apis/{group}/v1/namespaces/default/seconds"
    assert call(control_plane, "GET", path).status == 404


def test_defaults_of_a_changed_definition_reach_objects_that_are_there(
    control_plane: ControlPlane,
) -> None:
    group, path = "later.example.io", "/apis/later.example.io/v1/namespaces/default/laters"
    created(control_plane, CRDS, _crd("laters", "Later", group, _version("v1")))
    wait_for_status(control_plane, path, 200)
    obj = {"apiVersion": f"{group}/v1", "kind": "Later", "metadata": {"name": "l"}, "spec": {}}
    created(control_plane, path, obj)

    mode = {"type": "string", "default": "fast"}
    change = {"spec": {"versions": [_version("v1", mode=mode)]}}
    assert merged(control_plane, f"{CRDS}/laters.{group}", change).status == 200

    deadline = time.monotonic() + DEADLINE
    while got(control_plane, f"{path}/l")["spec"] != {"mode": "fast"}:
        assert time.monotonic() < deadline
        time.sleep(0.02)
