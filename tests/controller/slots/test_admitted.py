"""What a real kube-apiserver (KUBEBUILDER_ASSETS) says of the pods of slots."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmaz.api.kinds import NAMESPACE, POD
from llmaz.kube import Forbidden, Kube
from support.builders import flavor
from support.plane import ControlPlane
from support.realplane import real_control_plane
from support.slotpods import pod_of, wanted

ENFORCE = "pod-security.kubernetes.io/enforce"


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    if "KUBEBUILDER_ASSETS" not in os.environ:
        pytest.skip("KUBEBUILDER_ASSETS is not set: here is no admission of pods")
    assets = Path(os.environ["KUBEBUILDER_ASSETS"])
    with real_control_plane(assets, tmp_path_factory.mktemp("admission")) as made:
        yield made


async def admitted(plane: ControlPlane, level: str, pod: Any) -> str:  # noqa: ANN401  # JSON
    """Return why a namespace of a level refuses a pod; nothing where it does not."""
    namespace = f"{level}-{pod['metadata']['name']}"
    pod["metadata"] |= {"namespace": namespace}
    pod["metadata"].pop("ownerReferences")  # their Service is none of this server's
    async with await Kube.connect(plane.kubeconfig) as kube:
        labels: Any = {"name": namespace, "labels": {ENFORCE: level}}
        await kube.create(NAMESPACE, {"metadata": labels})
        try:
            await kube.create(POD, pod)
        except Forbidden as error:
            return str(error)
    return ""


@pytest.mark.parametrize("level", ["baseline", "restricted"])
async def test_a_pod_is_privileged_for_the_node_s_directories_alone(
    plane: ControlPlane, level: str
) -> None:
    refused = await admitted(plane, level, pod_of(wanted(flavor("a10"))))
    assert "hostPath" in refused
    for other in ("runAsNonRoot", "seccompProfile", "capabilities", "allowPrivilegeEscalation"):
        assert other not in refused
    without = pod_of(wanted(flavor("a10", 2)))
    for volume in without["spec"]["volumes"]:
        if volume.pop("hostPath", None):
            volume["emptyDir"] = {}
    assert await admitted(plane, level, without) == ""


async def test_a_pod_is_accepted_where_privileged_ones_are(plane: ControlPlane) -> None:
    assert await admitted(plane, "privileged", pod_of(wanted(flavor("a10")))) == ""
