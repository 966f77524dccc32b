"""Short words for requests of tests: create, get, patch, wait, and small objects to do it with."""

import json
import time
from typing import Any

from support.plane import ControlPlane
from support.recordings import Answer, call

Json = Any
MERGE = {"Content-Type": "application/merge-patch+json"}
CONFIG_MAPS = "/api/v1/namespaces/{namespace}/configmaps"
DEADLINE = 120.0


def config_map(name: str, **data: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def owned_by(owner: Json, obj: Json, *, blocking: bool = False) -> Json:
    """Return the object with an owner reference."""
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "blockOwnerDeletion": blocking,
    }
    return obj | {"metadata": obj["metadata"] | {"ownerReferences": [reference]}}


def with_finalizer(obj: Json, finalizer: str = "example.io/hold") -> Json:
    return obj | {"metadata": obj["metadata"] | {"finalizers": [finalizer]}}


def created(plane: ControlPlane, path: str, obj: Json) -> Json:
    answer = call(plane, "POST", path, obj)
    assert answer.status == 201, answer.text
    return answer.json()


def got(plane: ControlPlane, path: str) -> Json:
    answer = call(plane, "GET", path)
    assert answer.status == 200, answer.text
    return answer.json()


def merged(plane: ControlPlane, path: str, patch: Json) -> Answer:
    return call(plane, "PATCH", path, json.dumps(patch), headers=MERGE)


def deleted(plane: ControlPlane, path: str, policy: str = "") -> Answer:
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": policy}
    return call(plane, "DELETE", path, options if policy else None)


def wait_for_status(plane: ControlPlane, path: str, status: int) -> None:
    """Wait until a GET of the path answers with a status code, 404 for one."""
    deadline = time.monotonic() + DEADLINE
    while (answer := call(plane, "GET", path)).status != status:
        assert time.monotonic() < deadline, f"{path}: {answer.text}"
        time.sleep(0.02)


def namespace(plane: ControlPlane, name: str) -> str:
    """Create a namespace of a test's own and return the path of its ConfigMaps."""
    created(plane, "/api/v1/namespaces", {"metadata": {"name": name}})
    return CONFIG_MAPS.format(namespace=name)
