"""How a node becomes known, and stays it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from llmaz.agent.register import Registration
from llmaz.agent.state import NodeFacts
from llmaz.api.kinds import Kind
from llmaz.api.manifest import Json, Manifest
from llmaz.api.quantity import Quantity
from llmaz.kube import AlreadyExists, Forbidden, NotFound, Unavailable

FACTS = NodeFacts(
    name="n",
    address="10.0.0.7",
    agent_url="",
    agent_version="1",
    boot_id="boot",
    capacity={"cpu": Quantity("2")},
)
OWNER: Json = {"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "uid-of-n"}


@dataclass
class Api:
    """Keeps objects by kind and name; a Lease needs its namespace, as on a real server."""

    objects: dict[tuple[str, str], Manifest] = field(default_factory=dict)
    away: bool = False
    enforces_owners: bool = False
    asked: int = 0

    def _check(self) -> None:
        self.asked += 1
        if self.away:
            raise Unavailable("as the test asked")

    async def get(self, kind: Kind, name: str, namespace: str | None = None) -> Manifest:
        self._check()
        if (kind.kind, name) not in self.objects:
            raise NotFound(f"get {kind.plural}/{name}")
        return self.objects[kind.kind, name]

    async def create(self, kind: Kind, manifest: Manifest) -> Manifest:
        self._check()
        metadata = manifest["metadata"]
        assert isinstance(metadata, dict)
        name = str(metadata["name"])
        if (kind.kind, name) in self.objects:
            raise AlreadyExists(f"create {kind.plural}/{name}")
        namespace = metadata.get("namespace")
        if namespace is not None and ("Namespace", namespace) not in self.objects:
            raise NotFound(f"namespace {namespace}")
        self.objects[kind.kind, name] = manifest
        return manifest

    async def apply(
        self,
        kind: Kind,
        manifest: Manifest,
        *,
        manager: str,
        force: bool = True,
        subresource: str = "",
    ) -> Manifest:
        self._check()
        metadata = manifest["metadata"]
        assert isinstance(metadata, dict)
        name = str(metadata["name"])
        known = self.objects.get((kind.kind, name), {})
        made: Manifest = {**known, **manifest, "metadata": {**metadata, "uid": f"uid-of-{name}"}}
        self.objects[kind.kind, name] = made
        return made

    async def patch(
        self,
        kind: Kind,
        name: str,
        patch: Manifest,
        namespace: str | None = None,
        *,
        subresource: str = "",
    ) -> Manifest:
        known = await self.get(kind, name)
        if self.enforces_owners and "ownerReferences" in str(patch):
            raise Forbidden("cannot set an ownerRef on a resource you can't delete")
        self.objects[kind.kind, name] = {**known, **patch}
        return self.objects[kind.kind, name]


@asynccontextmanager
async def _registering(
    api: Api, *, register_node: bool, found: "list[Manifest] | None" = None
) -> AsyncIterator[Registration]:
    registration = Registration(
        api,
        FACTS,
        register_node=register_node,
        found=(found if found is not None else []).append,
    )
    task = asyncio.create_task(registration.run())
    yield registration
    task.cancel()


async def _until_there(api: Api, kind: str, name: str) -> Manifest:
    async with asyncio.timeout(120):
        while (kind, name) not in api.objects:
            await asyncio.sleep(0.01)
    return api.objects[kind, name]


async def test_on_one_machine_the_agent_makes_everything_that_is_missing() -> None:
    api = Api()
    async with _registering(api, register_node=True):
        lease = await _until_there(api, "Lease", "n")
    node = api.objects["Node", "n"]
    assert isinstance(node["status"], dict)
    assert node["status"]["capacity"] == {"cpu": "2"}
    assert isinstance(lease["spec"], dict)
    assert lease["spec"]["leaseDurationSeconds"] == 40
    inference_node = api.objects["InferenceNode", "n"]
    assert "spec" not in inference_node
    assert inference_node["metadata"] == {"name": "n", "ownerReferences": [OWNER]}


def _left_by_another_node() -> Api:
    """Return what a node finds that was made anew under its former name."""
    stale: Json = {"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "former"}
    metadata: Json = {"name": "n", "ownerReferences": [stale]}
    return Api(
        {
            ("Namespace", "llmaz-system"): {},
            ("Node", "n"): {"metadata": {"name": "n", "uid": "uid-of-n"}},
            ("InferenceNode", "n"): {"metadata": metadata, "status": {"bootId": "b"}},
        }
    )


async def test_an_inference_node_is_given_to_the_node_that_is_there_now() -> None:
    api = _left_by_another_node()
    found: list[Manifest] = []
    async with _registering(api, register_node=False, found=found):
        await _until_there(api, "Lease", "n")
    assert api.objects["InferenceNode", "n"]["metadata"] == {"ownerReferences": [OWNER]}
    assert found == [api.objects["InferenceNode", "n"]]


async def test_a_node_that_may_not_change_owners_is_known_all_the_same() -> None:
    api = _left_by_another_node()
    api.enforces_owners = True
    found: list[Manifest] = []
    async with _registering(api, register_node=False, found=found):
        await _until_there(api, "Lease", "n")
    assert found == [api.objects["InferenceNode", "n"]]


async def test_an_inference_node_that_is_gone_is_made_anew_at_once() -> None:
    api = Api({("Namespace", "llmaz-system"): {}})
    async with _registering(api, register_node=False) as registration:
        await _until_there(api, "Lease", "n")
        del api.objects["InferenceNode", "n"]
        registration.missing.set()
        await _until_there(api, "InferenceNode", "n")


async def test_an_api_server_that_is_away_is_asked_until_it_is_back() -> None:
    api = Api({("Namespace", "llmaz-system"): {}}, away=True)
    async with _registering(api, register_node=False):
        async with asyncio.timeout(120):
            while api.asked < 2:
                await asyncio.sleep(0.01)
        api.away = False
        await _until_there(api, "Lease", "n")
