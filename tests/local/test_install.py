from collections.abc import Iterable

from llmaz.api.kinds import BACKEND_RUNTIME, CUSTOM_RESOURCE_DEFINITION
from llmaz.api.manifest import Manifest
from llmaz.kube import Kube
from llmaz.local.install import MANIFESTS, documents, install
from support.manifests import part
from support.plane import ControlPlane


def names(manifests: Iterable[Manifest]) -> set[str]:
    return {str(part(manifest, "metadata")["name"]) for manifest in manifests}


async def test_what_ships_is_applied_and_applying_it_again_changes_nothing(
    control_plane: ControlPlane,
) -> None:
    async with await Kube.connect(control_plane.kubeconfig) as kube:
        await install(kube, print)
        before = await kube.list(BACKEND_RUNTIME)
        await install(kube, print)
        after = await kube.list(BACKEND_RUNTIME)
        crds = await kube.list(CUSTOM_RESOURCE_DEFINITION)
    assert before.items == after.items
    assert names(documents(MANIFESTS / "runtimes")) <= names(after.items)
    assert names(documents(MANIFESTS / "crds")) <= names(crds.items)


async def test_a_runtime_that_somebody_edited_stays_as_it_is(control_plane: ControlPlane) -> None:
    edit: Manifest = {"spec": {"version": "mine"}}
    said: list[str] = []
    async with await Kube.connect(control_plane.kubeconfig) as kube:
        await install(kube, print)
        await kube.patch(BACKEND_RUNTIME, "tgi", edit)
        await install(kube, said.append)
        found = await kube.get(BACKEND_RUNTIME, "tgi")
        await kube.delete(BACKEND_RUNTIME, "tgi")
    assert part(found, "spec")["version"] == "mine"
    assert said == ["backendruntime tgi: was edited, stays as it is"]
