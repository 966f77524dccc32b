"""Makes the node known: its InferenceNode, its Lease and, where no kubelet does, its Node."""

import asyncio
import logging
import platform
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol, cast

from llmaz.agent.state import NodeFacts
from llmaz.api.kinds import INFERENCE_NODE, LEASE, NAMESPACE, NODE, Kind
from llmaz.api.manifest import Json, Manifest, encode
from llmaz.api.names import AGENT, ARCH, HOSTNAME, OS, SYSTEM_NAMESPACE
from llmaz.daemon import backoff
from llmaz.kube.errors import AlreadyExists, Forbidden, KubeError, NotFound

logger = logging.getLogger(__name__)

RENEW_SECONDS = 10.0
LEASE_SECONDS = 40
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # Kubernetes has Go's names


class RegistryApi(Protocol):
    """The calls that registration makes."""

    async def get(self, kind: Kind, name: str, namespace: str | None = None) -> Manifest: ...

    async def create(self, kind: Kind, manifest: Manifest) -> Manifest: ...

    async def apply(
        self,
        kind: Kind,
        manifest: Manifest,
        *,
        manager: str,
        force: bool = True,
        subresource: str = "",
    ) -> Manifest: ...

    async def patch(
        self,
        kind: Kind,
        name: str,
        patch: Manifest,
        namespace: str | None = None,
        *,
        subresource: str = "",
    ) -> Manifest: ...


def node_manifest(facts: NodeFacts) -> Manifest:
    """Return the Node of a machine without a kubelet, as far as it is not status."""
    return {
        "metadata": {
            "name": facts.name,
            "labels": {
                HOSTNAME: facts.name,
                OS: platform.system().lower(),
                ARCH: _architecture(),
            },
        },
    }


def node_status(facts: NodeFacts, now: datetime) -> Manifest:
    """Return the status of that Node, so that `kubectl get nodes` tells what it tells elsewhere."""
    amounts = cast("Json", {key: str(amount) for key, amount in facts.capacity.items()})
    ready: Manifest = {
        "type": "Ready",
        "status": "True",
        "reason": "AgentReady",
        "message": "llmaz-agent runs on this node",
        "lastHeartbeatTime": encode(now),
        "lastTransitionTime": encode(now),
    }
    return {
        "capacity": amounts,
        "allocatable": amounts,
        "conditions": [ready],
        "addresses": [
            {"type": "InternalIP", "address": facts.address},
            {"type": "Hostname", "address": facts.name},
        ],
        "nodeInfo": {
            "bootID": facts.boot_id,
            "machineID": "",
            "systemUUID": "",
            "kernelVersion": platform.release(),
            "osImage": platform.freedesktop_os_release().get("PRETTY_NAME", "Linux"),
            "operatingSystem": platform.system().lower(),
            "architecture": _architecture(),
            "containerRuntimeVersion": "process://llmaz",
            "kubeletVersion": f"llmaz-{facts.agent_version}",
            "kubeProxyVersion": "",
        },
    }


def inference_node_manifest(name: str, owner: "Manifest | None") -> Manifest:
    """Return the InferenceNode as the agent creates it: the spec is the controller's."""
    metadata: Manifest = {"name": name}
    if owner is not None:
        metadata["ownerReferences"] = [owner]
    return {
        "apiVersion": INFERENCE_NODE.api_version,
        "kind": INFERENCE_NODE.kind,
        "metadata": metadata,
    }


def owner_reference(node: Manifest) -> Manifest:
    """Return the reference that lets an object go with its Node."""
    metadata = cast("Manifest", node["metadata"])
    return {
        "apiVersion": NODE.api_version,
        "kind": NODE.kind,
        "name": metadata["name"],
        "uid": metadata["uid"],
    }


class Registration:
    """Keeps the node's objects there and its Lease fresh."""

    def __init__(
        self,
        api: RegistryApi,
        facts: NodeFacts,
        *,
        register_node: bool,
        found: Callable[[Manifest], None],
    ) -> None:
        self._api = api
        self._facts = facts
        self._register_node = register_node
        self._found = found  # is told of the InferenceNode, made or met
        self.missing = asyncio.Event()  # set by who sees that the InferenceNode is gone

    async def run(self) -> None:
        """Register, then renew the Lease until cancelled."""
        failures = 0
        self.missing.set()
        while True:
            try:
                if self.missing.is_set():
                    self.missing.clear()
                    await self._register()
                await self._renew()
                failures = 0
                # Some spread, so that the nodes of a fleet do not renew in step.
                wait = RENEW_SECONDS * random.uniform(0.9, 1.0)  # noqa: S311  # no secret
            except KubeError as error:
                failures += 1
                self.missing.set()
                level = logging.WARNING if failures == 1 else logging.DEBUG
                logger.log(level, "node %s not registered: %s", self._facts.name, error)
                wait = backoff.delay(
                    failures,
                    jitter=random.random(),  # noqa: S311  # no secret
                    longest_seconds=RENEW_SECONDS,
                )
            await self._pause(wait, until_missing=failures == 0)

    async def _pause(self, seconds: float, *, until_missing: bool) -> None:
        if not until_missing:
            await asyncio.sleep(seconds)
            return
        try:
            async with asyncio.timeout(seconds):
                await self.missing.wait()
        except TimeoutError:
            return

    async def _register(self) -> None:
        owner = await self._owner()
        name = self._facts.name
        try:
            made = await self._api.create(INFERENCE_NODE, inference_node_manifest(name, owner))
            logger.info("registered node %s", name)
        except AlreadyExists:
            made = await self._api.get(INFERENCE_NODE, name)
            owners = cast("Manifest", made["metadata"]).get("ownerReferences")
            if owner is not None and owners != [owner]:
                made = await self._owned(made, owner)
        self._found(made)

    async def _owned(self, seen: Manifest, owner: Manifest) -> Manifest:
        """Give the InferenceNode to its Node, where an agent may change owners.

        Where the permissions of owner references are enforced it takes the right to delete, which
        agents lack. One whose owner is no more is deleted there, and then made anew.
        """
        patch: Manifest = {"metadata": {"ownerReferences": [owner]}}
        try:
            return await self._api.patch(INFERENCE_NODE, self._facts.name, patch)
        except Forbidden as error:
            logger.warning("node %s does not own its InferenceNode: %s", self._facts.name, error)
            return seen

    async def _owner(self) -> "Manifest | None":
        if self._register_node:
            manifest = node_manifest(self._facts)
            node = await self._api.apply(NODE, manifest, manager=AGENT)
            status: Manifest = {
                "metadata": {"name": self._facts.name},
                "status": node_status(self._facts, datetime.now(UTC)),
            }
            await self._api.apply(NODE, status, manager=AGENT, subresource="status")
            return owner_reference(node)
        try:
            return owner_reference(await self._api.get(NODE, self._facts.name))
        except NotFound:
            return None

    async def _renew(self) -> None:
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec: Manifest = {
            "holderIdentity": self._facts.name,
            "leaseDurationSeconds": LEASE_SECONDS,
            "renewTime": moment,
        }
        try:
            name = self._facts.name
            await self._api.patch(LEASE, name, {"spec": spec}, SYSTEM_NAMESPACE)
        except NotFound:
            await self._create_lease({**spec, "acquireTime": moment})

    async def _create_lease(self, spec: Manifest) -> None:
        metadata: Manifest = {"name": self._facts.name, "namespace": SYSTEM_NAMESPACE}
        lease: Manifest = {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": metadata,
            "spec": spec,
        }
        try:
            await self._api.create(LEASE, lease)
        except NotFound:  # the namespace: on one machine nobody else makes it
            if not self._register_node:
                raise
            namespace: Manifest = {"metadata": {"name": SYSTEM_NAMESPACE}}
            await self._api.apply(NAMESPACE, namespace, manager=AGENT)
            await self._api.create(LEASE, lease)


def _architecture() -> str:
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)
