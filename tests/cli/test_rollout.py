"""`llmaz rollout` against a real API server, with revisions as the controller writes them."""

import os
import uuid
from pathlib import Path
from typing import Any, cast

import pytest

from cli.test_commands import Llmaz
from llmaz.api import names
from llmaz.api.kinds import CONTROLLER_REVISION, PLAYGROUND, SERVICE
from llmaz.api.manifest import Manifest
from llmaz.kube import Kube
from llmaz.local.install import install
from support.cluster import make_namespace
from support.plane import ControlPlane


@pytest.fixture
async def namespace(control_plane: ControlPlane) -> str:
    """A namespace with a Playground at the third of three revisions."""
    found = f"r{os.getpid()}-{uuid.uuid4().hex[:6]}"
    async with await Kube.connect(control_plane.kubeconfig) as kube:
        await install(kube, print)
        await make_namespace(kube, found)
        spec: Any = {"replicas": 1, "modelClaim": {"modelName": "none"}}
        meta: Any = {"name": "chat", "namespace": found}
        made = await kube.apply(PLAYGROUND, {"metadata": meta, "spec": spec}, manager="tests")
        status: Any = {
            "observedGeneration": cast("Any", made)["metadata"]["generation"],
            "revision": 3,
            "updatedReplicas": 1,
            "readyReplicas": 1,
        }
        await kube.apply(
            PLAYGROUND,
            {"metadata": meta, "status": status},
            manager=names.CONTROLLER,
            subresource="status",
        )
        for number in (1, 2, 3):
            await kube.create(CONTROLLER_REVISION, _revision(found, number))
    return found


def _revision(namespace: str, number: int) -> Manifest:
    meta: Any = {
        "name": f"chat-{number}",
        "namespace": namespace,
        "labels": {names.SERVICE_NAME: "chat"},
    }
    return {"metadata": meta, "revision": number, "data": {"spec": {"args": [f"--{number}"]}}}


@pytest.fixture
def llmaz(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> Llmaz:
    assert namespace
    return Llmaz(tmp_path, control_plane.kubeconfig)


async def kept(control_plane: ControlPlane, namespace: str) -> str | None:
    async with await Kube.connect(control_plane.kubeconfig) as kube:
        found: Any = await kube.get(PLAYGROUND, "chat", namespace)
    annotations = found["metadata"].get("annotations") or {}
    return cast("str | None", annotations.get(names.REVISION))


async def test_an_update_is_undone_and_resumed(
    llmaz: Llmaz, control_plane: ControlPlane, namespace: str
) -> None:
    label = "playground.inference.llmaz.io/chat"
    said = llmaz.done("rollout", "undo", "chat", "-n", namespace)
    assert said == f"{label} goes back to revision 2, and keeps to it\n"
    assert await kept(control_plane, namespace) == "2"
    said = llmaz.done("rollout", "resume", "pl/chat", "-n", namespace)
    assert said == f"{label} goes on\n"
    assert await kept(control_plane, namespace) is None
    said = llmaz.done("rollout", "pause", "chat", "-n", namespace)
    assert said == f"{label} keeps to revision 3\n"
    assert await kept(control_plane, namespace) == "3"


def test_its_history_is_listed(llmaz: Llmaz, namespace: str) -> None:
    rows = llmaz.done("rollout", "history", "chat", "-n", namespace).splitlines()
    assert [row.split()[0] for row in rows] == ["REVISION", "1", "2", "3"]
    assert rows[3].split()[1] == "*"
    assert rows[3].endswith("spec.args")


def test_an_update_that_is_done_is_not_waited_for(llmaz: Llmaz, namespace: str) -> None:
    said = llmaz.done("rollout", "status", "chat", "-n", namespace)
    assert said == "revision 3: 1 of 1 replicas updated, 1 ready\n"


def test_a_revision_that_is_not_there_is_refused(llmaz: Llmaz, namespace: str) -> None:
    refused = llmaz("rollout", "undo", "chat", "--to-revision", "9", "-n", namespace)
    assert refused.returncode == 3
    assert refused.stderr == "error: there is no revision 9: recorded are 1, 2, 3\n"


async def test_a_playgrounds_service_is_rolled_back_by_its_playground(
    llmaz: Llmaz, control_plane: ControlPlane, namespace: str
) -> None:
    runner: Any = {"name": "model-runner", "image": "fake"}
    template: Any = {"workerTemplate": {"spec": {"containers": [runner]}}}
    meta: Any = {
        "name": "chat",
        "namespace": namespace,
        "labels": {names.PLAYGROUND_NAME: "chat"},
    }
    claims: Any = {"models": [{"name": "none"}]}
    spec: Any = {"modelClaims": claims, "workloadTemplate": template}
    async with await Kube.connect(control_plane.kubeconfig) as kube:
        await kube.apply(SERVICE, {"metadata": meta, "spec": spec}, manager="tests")
    refused = llmaz("rollout", "undo", "isvc/chat", "-n", namespace)
    assert refused.returncode == 1
    assert refused.stderr == (
        "error: Service chat belongs to Playground chat\nhint: name playground/chat\n"
    )
    assert llmaz("rollout", "undo", "node/chat").returncode == 2
