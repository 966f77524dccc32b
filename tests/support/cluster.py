"""A cluster for tests of the controller: llmaz's kinds on an API server, and agents by hand."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml

from llmaz.api.fingerprint import fingerprint
from llmaz.api.kinds import (
    BACKEND_RUNTIME,
    CUSTOM_RESOURCE_DEFINITION,
    INFERENCE_NODE,
    LEASE,
    NAMESPACE,
    NODE,
    Kind,
)
from llmaz.api.manifest import Manifest, decode, encode
from llmaz.api.names import SYSTEM_NAMESPACE
from llmaz.api.node import (
    Accelerator,
    AssignedEngine,
    EnginePhase,
    EngineReport,
    InferenceNode,
    ModelPhase,
    ModelReport,
    NodeStatus,
)
from llmaz.api.quantity import Quantity
from llmaz.kube import AlreadyExists, Kube, NotFound, Unavailable

T = TypeVar("T")
CHART = Path(__file__).parents[2] / "charts" / "llmaz"
PATIENCE_SECONDS = 120.0


async def eventually(
    look: Callable[[], Awaitable[T]],
    holds: Callable[[T], bool],
    seconds: float = PATIENCE_SECONDS,
) -> T:
    """Look until what is seen holds; fail with what was seen last."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            seen: Any = await look()
            if holds(seen):
                return cast("T", seen)
        except (NotFound, Unavailable) as error:
            seen = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s; last seen: {seen}")
        await asyncio.sleep(0.02)


async def install(kube: Kube) -> None:
    """Install the CRDs and the runtimes that the chart ships."""
    for path in sorted((CHART / "crds").glob("*.yaml")):
        crd: Manifest = yaml.safe_load(path.read_text())
        await kube.apply(CUSTOM_RESOURCE_DEFINITION, crd, manager="tests")
        name = str(cast("Manifest", crd["metadata"])["name"])
        await eventually(lambda: kube.get(CUSTOM_RESOURCE_DEFINITION, name), _is_established)  # noqa: B023  # awaited here
    for path in sorted((CHART / "runtimes").glob("*.yaml")):
        for runtime in yaml.safe_load_all(path.read_text()):
            await kube.apply(BACKEND_RUNTIME, runtime, manager="tests")


def _is_established(crd: Manifest) -> bool:
    return status(crd, "Established") == "True"


def condition(manifest: Manifest, type_: str) -> dict[str, Any]:
    """Return a condition of an object; an empty one where it is not set."""
    found = cast("dict[str, Any]", manifest.get("status") or {}).get("conditions") or []
    return next((one for one in found if one["type"] == type_), {})


def status(manifest: Manifest, type_: str) -> str:
    return str(condition(manifest, type_).get("status", ""))


def reason(manifest: Manifest, type_: str) -> str:
    return str(condition(manifest, type_).get("reason", ""))


async def make_namespace(kube: Kube, name: str) -> None:
    try:
        await kube.create(NAMESPACE, {"metadata": {"name": name}})
    except AlreadyExists:
        return


@dataclass
class Agent:
    """An agent that reports what a test tells it to."""

    kube: Kube
    node: str

    async def register(
        self, *, gpus: int = 0, product: str = "NVIDIA A10", cpu: str = "64", memory: str = "512Gi"
    ) -> None:
        """Make the Node, its Lease and its InferenceNode, as an agent does at its start."""
        await make_namespace(self.kube, SYSTEM_NAMESPACE)
        labels: Manifest = {"kubernetes.io/hostname": self.node}
        metadata: Manifest = {"name": self.node, "labels": labels}
        core = await self.kube.apply(NODE, {"metadata": metadata}, manager="agent")
        if "node.kubernetes.io/not-ready" in str(core.get("spec")):
            # A kube-apiserver's doing, until a kubelet says that the node is ready.
            await self.kube.patch(NODE, self.node, {"spec": {"taints": None}})
        owner = {
            "apiVersion": "v1",
            "kind": "Node",
            "name": self.node,
            "uid": cast("Manifest", core["metadata"])["uid"],
        }
        metadata = {"name": self.node, "ownerReferences": [owner]}
        await self.beat()
        await self.kube.apply(INFERENCE_NODE, {"metadata": metadata}, manager="agent")
        accelerators = tuple(
            Accelerator(
                uuid=f"GPU-{self.node}-{index}",
                index=index,
                vendor="nvidia",
                product=product,
                resource="nvidia.com/gpu",
                memory_bytes=24 * 2**30,
            )
            for index in range(gpus)
        )
        await self.say(
            NodeStatus(
                capacity={"cpu": Quantity(cpu), "memory": Quantity(memory)},
                accelerators=accelerators,
                models=(),
                engines=(),
            )
        )

    async def beat(self, seconds: int = 3600) -> None:
        """Renew the node's Lease for so long; 0 is a node that was lost."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {"holderIdentity": self.node, "leaseDurationSeconds": seconds, "renewTime": now}
        metadata = {"name": self.node, "namespace": SYSTEM_NAMESPACE}
        lease: Any = {"metadata": metadata, "spec": spec}
        await self.kube.apply(LEASE, lease, manager="agent")

    async def say(self, status: NodeStatus) -> None:
        patch: Manifest = {"status": encode(status)}
        await self.kube.patch(INFERENCE_NODE, self.node, patch, subresource="status")

    async def seen(self) -> InferenceNode:
        return decode(InferenceNode, await self.kube.get(INFERENCE_NODE, self.node))

    async def assigned(
        self, ids: Iterable[str], seconds: float = PATIENCE_SECONDS
    ) -> tuple[AssignedEngine, ...]:
        """Wait until exactly these engines are assigned to the node."""
        wanted = sorted(ids)
        node = await eventually(
            self.seen, lambda node: [engine.id for engine in node.spec.engines] == wanted, seconds
        )
        return node.spec.engines

    async def report(
        self,
        phase: EnginePhase,
        *,
        weights: ModelPhase = ModelPhase.READY,
        why: tuple[str, str] = ("", ""),
        fetched: tuple[int, int] | None = None,
    ) -> None:
        """Report every assigned engine in one phase, and every assigned model in another."""
        node = await self.seen()
        done, total = fetched or (None, None)
        reports = tuple(
            EngineReport(
                id=engine.id,
                phase=phase,
                fingerprint=fingerprint(engine),
                reason=why[0],
                message=why[1],
                address="10.0.0.7",
                port=40000 + index,
            )
            for index, engine in enumerate(node.spec.engines)
        )
        models = tuple(
            ModelReport(
                name=model.name,
                phase=weights,
                revision="c0ffee",
                bytes_done=done,
                bytes_total=total,
            )
            for model in node.spec.models
        )
        patch: Manifest = {
            "status": {
                "observedGeneration": node.metadata.generation,
                "engines": [encode(one) for one in reports],
                "models": [encode(one) for one in models],
            }
        }
        await self.kube.patch(INFERENCE_NODE, self.node, patch, subresource="status")

    async def leave(self) -> None:
        for kind in (INFERENCE_NODE, NODE):
            await self.kube.delete(kind, self.node)
        await self.kube.delete(LEASE, self.node, SYSTEM_NAMESPACE)


async def is_gone(kube: Kube, kind: Kind, name: str, namespace: str | None = None) -> bool:
    try:
        await kube.get(kind, name, namespace)
    except NotFound:
        return True
    return False
