import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from llmaz.api.kinds import CONFIG_MAP, NAMESPACE, OPEN_MODEL
from llmaz.api.manifest import Manifest
from llmaz.kube import (
    AlreadyExists,
    Conflict,
    Gone,
    Informer,
    Invalid,
    Kube,
    KubeError,
    NotFound,
    Unauthorized,
    Unavailable,
)
from support.kubeserver import write_kubeconfig
from support.plane import ControlPlane

PATIENCE_SECONDS = 120.0


@pytest.fixture
async def kube(control_plane: ControlPlane) -> AsyncIterator[Kube]:
    async with await Kube.connect(control_plane.kubeconfig) as connected:
        yield connected


@pytest.fixture
async def namespace(kube: Kube) -> str:
    name = f"kube-{uuid.uuid4().hex[:8]}"
    await kube.create(NAMESPACE, {"metadata": {"name": name}})
    return name


def config_map(namespace: str, name: str, **data: str) -> Manifest:
    return {"metadata": {"name": name, "namespace": namespace}, "data": dict(data)}


def meta(manifest: Manifest) -> Manifest:
    metadata = manifest["metadata"]
    assert isinstance(metadata, dict)
    return metadata


async def test_an_object_is_created_read_changed_and_deleted(kube: Kube, namespace: str) -> None:
    made = await kube.create(CONFIG_MAP, config_map(namespace, "a", x="1"))
    assert await kube.get(CONFIG_MAP, "a", namespace) == made
    patched = await kube.patch(CONFIG_MAP, "a", {"data": {"x": None, "y": "2"}}, namespace)
    assert patched["data"] == {"y": "2"}
    replaced = await kube.replace(CONFIG_MAP, {**patched, "data": {"z": "3"}})
    assert replaced["data"] == {"z": "3"}
    await kube.delete(CONFIG_MAP, "a", namespace, uid=str(meta(made)["uid"]))
    with pytest.raises(NotFound, match=f'get namespaces/{namespace}/configmaps/a: .*"a" not found'):
        await kube.get(CONFIG_MAP, "a", namespace)


async def test_applying_owns_fields_and_takes_back_what_it_leaves_out(
    kube: Kube, namespace: str
) -> None:
    await kube.apply(CONFIG_MAP, config_map(namespace, "a", x="1", y="1"), manager="one")
    left = await kube.apply(CONFIG_MAP, config_map(namespace, "a", x="1"), manager="one")
    assert left["data"] == {"x": "1"}
    with pytest.raises(Conflict):
        await kube.apply(CONFIG_MAP, config_map(namespace, "a", x="2"), manager="two", force=False)
    forced = await kube.apply(CONFIG_MAP, config_map(namespace, "a", x="2"), manager="two")
    assert forced["data"] == {"x": "2"}


async def test_each_refusal_is_an_error_of_its_own(kube: Kube, namespace: str) -> None:
    made = await kube.create(CONFIG_MAP, config_map(namespace, "a"))
    with pytest.raises(AlreadyExists):
        await kube.create(CONFIG_MAP, config_map(namespace, "a"))
    await kube.patch(CONFIG_MAP, "a", {"data": {"x": "1"}}, namespace)
    with pytest.raises(Conflict):
        await kube.replace(CONFIG_MAP, made)
    with pytest.raises(Invalid, match="create namespaces/"):
        await kube.create(CONFIG_MAP, config_map(namespace, "Not A Name"))
    with pytest.raises(Conflict):
        await kube.delete(CONFIG_MAP, "a", namespace, uid="another")
    with pytest.raises((Gone, Unavailable, Invalid)):
        await kube.watch(CONFIG_MAP, namespace, resource_version="no version").__anext__()


async def test_an_object_of_a_uid_is_not_made_anew_by_applying(kube: Kube, namespace: str) -> None:
    late: Manifest = config_map(namespace, "a", x="1")
    late["metadata"] = {**meta(late), "uid": str(uuid.uuid4())}
    with pytest.raises(KubeError):
        await kube.apply(CONFIG_MAP, late, manager="one")
    with pytest.raises(NotFound):
        await kube.get(CONFIG_MAP, "a", namespace)


async def test_a_list_selects_by_labels(kube: Kube, namespace: str) -> None:
    for name, color in (("a", "red"), ("b", "blue")):
        manifest = config_map(namespace, name)
        manifest["metadata"] = {**meta(manifest), "labels": {"color": color}}
        await kube.create(CONFIG_MAP, manifest)
    listing = await kube.list(CONFIG_MAP, namespace, label_selector="color=red")
    assert [meta(item)["name"] for item in listing.items] == ["a"]


async def test_an_informer_follows_the_server(kube: Kube, namespace: str) -> None:
    changed = asyncio.Event()
    informer = Informer(kube, CONFIG_MAP, changed=changed, namespace=namespace)
    task = asyncio.create_task(informer.run())

    async def wait_for(*wanted: str) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not informer.synced or not {n for _, n in informer.objects} >= set(wanted):
                await changed.wait()
                changed.clear()

    await wait_for()
    await kube.create(CONFIG_MAP, config_map(namespace, "a"))
    await wait_for("a")
    await kube.delete(CONFIG_MAP, "a", namespace)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (namespace, "a") in informer.objects:
            await asyncio.sleep(0.01)
    task.cancel()


async def test_a_wrong_token_is_told(control_plane: ControlPlane, tmp_path: Path) -> None:
    text = control_plane.kubeconfig.read_text()
    bad = tmp_path / "kubeconfig"
    bad.write_text(text.replace(control_plane.token, "wrong"))
    async with await Kube.connect(bad) as stranger:
        with pytest.raises(Unauthorized):
            await stranger.list(NAMESPACE)


async def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    async with await Kube.connect(write_kubeconfig(tmp_path, 1)) as kube:
        with pytest.raises(Unavailable, match="get openmodels/x: "):
            await kube.get(OPEN_MODEL, "x")


@pytest.mark.parametrize("text", [None, "{", "current-context: none", "[]"])
async def test_a_bad_kubeconfig_is_named(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text)
    with pytest.raises(KubeError, match="kubeconfig: "):
        await Kube.connect(path)
