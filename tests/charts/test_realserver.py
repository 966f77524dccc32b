"""The chart on a real kube-apiserver (KUBEBUILDER_ASSETS): accepted, and its policies at work."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.apicalls import DEADLINE, MERGE
from support.chart import CHART, Json, rendered
from support.plane import ControlPlane
from support.recordings import Answer, call

KUBECTL = str(Path(sys.executable).with_name("kubectl"))
NODES = "/apis/llmaz.io/v1alpha1/inferencenodes"
AGENT = {
    "Impersonate-User": "system:serviceaccount:llmaz-system:llmaz-agent",
    "Impersonate-Extra-authentication.kubernetes.io%2Fnode-name": "own",
}


def kubectl(plane: ControlPlane, *arguments: str, stdin: str = "") -> str:
    done = subprocess.run(
        [KUBECTL, "--kubeconfig", str(plane.kubeconfig), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """The chart's objects on the server; nothing there would run a pod."""
    if not control_plane.real:
        pytest.skip("the embedded server has no RBAC and no admission policies")
    namespace = {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "llmaz-system"}}
    objects = "\n---\n".join(map(json.dumps, [namespace, *rendered()]))
    definitions = ("--server-side", "--force-conflicts", "-f", str(CHART / "crds"))
    kubectl(control_plane, "apply", *definitions)
    kubectl(control_plane, "wait", "--for=condition=Established", "-f", str(CHART / "crds"))
    kubectl(control_plane, "apply", "--server-side", "--force-conflicts", "-f-", stdin=objects)
    yield control_plane
    # Nobody is there to empty the namespace, so that its end is not waited for.
    kubectl(control_plane, "delete", "--ignore-not-found", "--wait=false", "-f-", stdin=objects)


def _created_by_agent(plane: ControlPlane, name: str) -> Answer:
    node: Json = {"apiVersion": "llmaz.io/v1alpha1", "kind": "InferenceNode"}
    return call(plane, "POST", NODES, node | {"metadata": {"name": name}}, headers=AGENT)


def _reported_by_agent(plane: ControlPlane, name: str) -> Answer:
    patch = json.dumps({"status": {"address": "10.0.0.1"}})
    return call(plane, "PATCH", f"{NODES}/{name}/status", patch, headers=AGENT | MERGE)


def test_an_agent_writes_its_own_node_alone(installed: ControlPlane) -> None:
    deadline = time.monotonic() + DEADLINE
    while (refused := _created_by_agent(installed, "other")).status != 403:
        # A policy takes the server some seconds to heed.
        assert time.monotonic() < deadline, refused.text
        call(installed, "DELETE", f"{NODES}/other")
        time.sleep(0.2)
    assert "the agent of node own may write" in refused.text
    assert _created_by_agent(installed, "own").status == 201
    assert _reported_by_agent(installed, "own").status == 200
    assert "own" in call(installed, "GET", f"{NODES}/own", headers=AGENT).text
    stolen = json.dumps({"spec": {"engines": []}})
    answer = call(installed, "PATCH", f"{NODES}/own", stolen, headers=AGENT | MERGE)
    assert answer.status == 403
    assert "belongs to the controller" in answer.text
    assert call(installed, "DELETE", f"{NODES}/own").status == 200
