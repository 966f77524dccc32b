"""Definitions are brought to this version, whatever an older one wrote."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from llmaz.api.crd import SERVED
from llmaz.api.kinds import CUSTOM_RESOURCE_DEFINITION, TENANT
from llmaz.controller import definitions
from llmaz.kube import Kube, NotFound
from support.chart import Json, rendered, the
from support.cluster import eventually
from support.controlplane import running_control_plane
from support.plane import ControlPlane
from support.recorder import recording

PLAYGROUNDS = "playgrounds.inference.llmaz.io"


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A server of this module's own: definitions belong to all who share one."""
    with running_control_plane(tmp_path_factory.mktemp("definitions")) as plane:
        yield plane


def _specs(crd: Json) -> Json:
    return crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]


async def _is_gone(kube: Kube) -> bool:
    try:
        await kube.get(CUSTOM_RESOURCE_DEFINITION, PLAYGROUNDS)
    except NotFound:
        return True
    return False


async def test_what_an_older_version_demanded_is_demanded_no_more(plane: ControlPlane) -> None:
    await definitions.run(plane.kubeconfig)
    async with await Kube.connect(plane.kubeconfig) as kube:
        old: Any = await kube.get(CUSTOM_RESOURCE_DEFINITION, PLAYGROUNDS)
        old["metadata"]["annotations"] = {"kept": "yes"}
        rules = _specs(old).setdefault("x-kubernetes-validations", [])
        rules.append({"rule": "has(self.replicas)", "message": "too strict"})
        written: Any = await kube.replace(CUSTOM_RESOURCE_DEFINITION, old)
        assert "too strict" in str(_specs(written))
        await definitions.run(plane.kubeconfig)
        new: Any = await kube.get(CUSTOM_RESOURCE_DEFINITION, PLAYGROUNDS)
    assert "too strict" not in str(_specs(new))
    assert new["metadata"]["annotations"] == {"kept": "yes"}


async def test_kinds_that_are_new_come_with_an_upgrade_and_objects_stay(
    plane: ControlPlane,
) -> None:
    await definitions.run(plane.kubeconfig)
    async with await Kube.connect(plane.kubeconfig) as kube:
        tenants = f"{TENANT.plural}.{TENANT.group}"
        before: Any = await kube.get(CUSTOM_RESOURCE_DEFINITION, tenants)
        await kube.delete(CUSTOM_RESOURCE_DEFINITION, PLAYGROUNDS)
        await eventually(partial(_is_gone, kube), bool)
        await definitions.run(plane.kubeconfig)
        await kube.get(CUSTOM_RESOURCE_DEFINITION, PLAYGROUNDS)
        after: Any = await kube.get(CUSTOM_RESOURCE_DEFINITION, tenants)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]


async def test_the_job_before_an_upgrade_may_do_what_it_does_and_no_more(
    plane: ControlPlane, tmp_path: Path
) -> None:
    rules = the(rendered(), "ClusterRole", "llmaz-definitions")["rules"]
    names = {f"{kind.plural}.{kind.group}" for kind in SERVED}
    assert [(set(rule.get("resourceNames", ())), rule["verbs"]) for rule in rules] == [
        (names, ["get", "update"]),
        (set(), ["create"]),
    ]
    await definitions.run(plane.kubeconfig)
    async with await Kube.connect(plane.kubeconfig) as kube:
        await kube.delete(CUSTOM_RESOURCE_DEFINITION, PLAYGROUNDS)
        await eventually(partial(_is_gone, kube), bool)
    recorded = tmp_path / "recorded"
    async with recording(plane, recorded) as calls:
        await definitions.run(recorded)
        await definitions.run(recorded)
    assert {(one.verb, one.resource, one.name) for one in calls} == {
        *(("get", "customresourcedefinitions", name) for name in names),
        *(("update", "customresourcedefinitions", name) for name in names),
        ("create", "customresourcedefinitions", ""),
    }


def test_the_program_of_the_job_exists() -> None:
    job = the(rendered(), "Job", "llmaz-definitions")["spec"]["template"]["spec"]
    assert job["containers"][0]["command"] == ["python", "-m", definitions.__name__]
